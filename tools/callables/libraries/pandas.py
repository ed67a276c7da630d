"""pandas: frames, series, indexes of every kind, and scalars."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pandas.tseries.holiday
from collect import Library


def make() -> Library:
    """The list, from objects of every kind."""
    library = Library(
        file="pandas.json",
        name="pandas",
        distribution="pandas",
        prefixes=("pandas",),
        how="tools/callables/make.py pandas: frames, series, indexes and scalars pickled in all"
        " protocols, by cloudpickle and joblib",
        gives={
            "pandas.core.indexes.base._new_Index": "make",
            "pandas.core.indexes.datetimes._new_DatetimeIndex": "make",
            "pandas.core.indexes.period._new_PeriodIndex": "make",
            "pandas.core.indexes.interval._new_IntervalIndex": "make",
            "pandas.core.indexes.timedeltas._new_TimedeltaIndex": "make",
            "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": "make",
            "pandas._libs.interval.__pyx_unpickle_IntervalMixin": "make",
        },
    )
    for value in objects():
        library.observe(value, f"pandas {type(value).__name__}")
    return library


def objects() -> list[object]:
    """One object of each kind."""
    days = pd.date_range("2020-01-01", periods=3, tz="Europe/Berlin")
    frame = pd.DataFrame(
        {
            "i": [1, 2, 3],
            "f": [1.0, np.nan, 3],
            "s": ["a", "b", None],
            "b": [True, False, True],
            "c": pd.Categorical(["x", "y", "x"]),
            "d": pd.date_range("2020-01-01", periods=3),
            "z": days,
            "t": pd.timedelta_range("1D", periods=3),
            "p": pd.period_range("2020", periods=3),
            "I": pd.array([1, None, 3], dtype="Int64"),
            "F": pd.array([1.0, None, 3], dtype="Float64"),
            "B": pd.array([True, None, False], dtype="boolean"),
            "S": pd.array(["a", None, "b"], dtype="string"),
            "v": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
            "sp": pd.arrays.SparseArray([0, 0, 1]),
            "o": [{"a": 1}, [1], (1,)],
        }
    )
    found: list[object] = [
        frame,
        frame.T,
        frame.iloc[:0],
        pd.DataFrame(),
        frame.groupby("b")["i"].sum(),
    ]
    found += [frame[name] for name in frame]
    found += [
        pd.Index([1, 2]),
        pd.Index(["a"]),
        pd.RangeIndex(3),
        pd.CategoricalIndex(["a", "b"]),
        days,
        pd.MultiIndex.from_product([[1, 2], ["a"]]),
        pd.IntervalIndex.from_breaks([0, 1, 2]),
        pd.period_range("2020", periods=2),
        pd.timedelta_range("1D", periods=2),
        pd.Index([1.5, 2]),
        pd.Timestamp("2020-01-01", tz="UTC"),
        pd.Timestamp("2020-01-01"),
        pd.Timedelta("1D"),
        pd.Period("2020"),
        pd.NaT,
        pd.NA,
        pd.Interval(0, 1),
        pd.CategoricalDtype(["a"]),
        pd.Int64Dtype(),
        pd.StringDtype(),
        pd.DatetimeTZDtype("ns", "UTC"),
        frame.dtypes,
        pd.offsets.Day(2),
        pd.offsets.MonthEnd(),
        pd.offsets.BDay(),
        pd.offsets.Hour(1),
        pd.PeriodDtype("D"),
        pd.Series([1, 2], index=days[:2]),
        pd.DataFrame,
        pd.Series,
        pd.Timestamp,
        pd.Series([datetime.date(2020, 1, 1)]),
        pd.IntervalDtype("int64"),
        pd.SparseDtype("float"),
    ]
    for dtype in ("string[pyarrow]", "int64[pyarrow]", "timestamp[ns][pyarrow]", "string[python]"):
        try:
            found += [pd.array([None, None], dtype=dtype), pd.Series([None], dtype=dtype)]
            found += [pd.array([None], dtype=dtype).dtype]
        except (ImportError, TypeError, NameError, ValueError) as error:
            print(f"  no {dtype}: {error}")
    grouped = frame.groupby("b")
    found += [
        frame[["i", "f"]].describe(),
        frame[["i", "f"]].agg(["mean", "std"]),
        pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])),
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
        pd.get_dummies(frame["c"]),
        pd.Series({"a": [1], "b": {"c": 1}}),
        pd.Series([1.5, None], dtype="Float32"),
        pd.cut(pd.Series([1.0, 2, 3]), 2),
        pd.qcut(pd.Series([1.0, 2, 3]), 2),
        pd.Series([1, 2], dtype="category"),
        pd.Series(pd.arrays.SparseArray([0, 1])),
        pd.Flags(frame, allows_duplicate_labels=True).allows_duplicate_labels,
        pd.NamedAgg("a", "mean"),
        grouped[["i", "f"]].mean(),
        pd.api.types.CategoricalDtype(["a"], ordered=True),
        pd.Timestamp("2020-01-01", tz="Europe/Berlin"),
        pd.Series(pd.to_datetime(["2020-01-01"]).tz_localize("Asia/Kolkata")),
        pd.date_range("2020", periods=3, freq=pd.offsets.BusinessHour()),
        pd.tseries.holiday.USFederalHolidayCalendar,
        pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]),
        pd.offsets.DateOffset(months=1),
        pd.offsets.Easter(),
        pd.offsets.FY5253(weekday=1, startingMonth=1),
        pd.offsets.LastWeekOfMonth(),
        pd.offsets.SemiMonthEnd(),
        pd.offsets.SemiMonthBegin(),
        pd.offsets.WeekOfMonth(),
        pd.offsets.YearBegin(),
        pd.offsets.QuarterBegin(),
        pd.offsets.BMonthEnd(),
        pd.offsets.BMonthBegin(),
        pd.offsets.BYearEnd(),
        pd.offsets.BYearBegin(),
        pd.offsets.BQuarterEnd(),
        pd.offsets.BQuarterBegin(),
        pd.offsets.CBMonthEnd(),
        pd.offsets.CBMonthBegin(),
        pd.offsets.CustomBusinessHour(),
    ]
    for dtype in ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32", "UInt64", "Float32"):
        found.append(pd.array([1, None], dtype=dtype))
    for frequency in (
        "W",
        "QE",
        "YE",
        "ME",
        "B",
        "h",
        "min",
        "s",
        "ms",
        "us",
        "ns",
        "MS",
        "QS",
        "YS",
    ):
        try:
            found.append(pd.tseries.frequencies.to_offset(frequency))
        except ValueError:
            print(f"  no frequency {frequency} in this version")
    return found
