"""Writes known_modules.json and python2_names.json: which names are whose.

The running interpreter gives its own standard library's names; the lists below add what other
versions of Python (2.7, 3.8 to 3.14) have beside them, and the well-known packages. A name on
these lists is never excused by a policy's `trusted_modules`.
"""

from __future__ import annotations

import _compat_pickle
import json
import sys
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared/tidegate/scanners/data/callables"

OTHER_VERSIONS = {
    "3.8 to 3.10, gone since": (
        "_dummy_thread _dummy_threading _bootlocale asynchat asyncore binhex distutils "
        "dummy_threading formatter imp macpath parser smtpd symbol _strptime _sysconfigdata "
        "_peg_parser"
    ),
    "3.12 to 3.14, not yet before": (
        "_android_support _apple_support _ast_unparse _colorize _hmac _interpchannels "
        "_interpqueues _interpreters _ios_support _opcode_metadata _py_warnings _pylong "
        "_pyrepl _remote_debugging _suggestions _sysconfig _testcapi _testinternalcapi _types "
        "_wmi _xxsubinterpreters _zstd annotationlib compression _pydatetime _sha2 pathlib "
        "string sre_compile"
    ),
    "not named by the interpreter, but importable": (
        "__phello__ _test_atexit _testbuffer _testimportmultiple _testmultiphase "
        "_xxtestfuzz test xxlimited xxlimited_35 xxsubtype _ctypes_test _testclinic "
        "sitecustomize usercustomize turtledemo idlelib lib2to3"
    ),
    "Python 2": (
        "__builtin__ BaseHTTPServer Bastion CGIHTTPServer Canvas ConfigParser Cookie Dialog "
        "DocXMLRPCServer FileDialog FixTk HTMLParser MimeWriter Queue ScrolledText "
        "SimpleDialog SimpleHTTPServer SimpleXMLRPCServer SocketServer StringIO Tix "
        "Tkconstants Tkdnd Tkinter UserDict UserList UserString _LWPCookieJar "
        "_MozillaCookieJar _abcoll _winreg anydbm cPickle cStringIO commands cookielib "
        "copy_reg dbhash dircache dl dumbdbm exceptions fpformat future_builtins gdbm hotshot "
        "htmlentitydefs htmllib httplib ihooks imageop imputil itertools markupbase md5 mhlib "
        "mimetools mimify multifile mutex new os2emxpath popen2 posixfile repr rexec rfc822 "
        "robotparser sets sgmllib sha statvfs stringold strop sunaudio sv thread "
        "tkColorChooser tkCommonDialog tkFileDialog tkFont tkMessageBox tkSimpleDialog toaiff "
        "ttk urllib2 urlparse whichdb xmllib xmlrpclib dbm bsddb"
    ),
}

PACKAGES = {
    "numbers, tables and plots": (
        "numpy scipy pandas pyarrow polars dask distributed xarray zarr h5py tables numexpr "
        "bottleneck numba llvmlite cupy cudf cuml cython Cython pyximport sympy mpmath "
        "networkx igraph matplotlib mpl_toolkits pylab seaborn plotly bokeh altair "
        "statsmodels patsy formulaic modin vaex ibis duckdb narwhals blosc numcodecs sparse "
        "shapely geopandas pyproj PIL cv2 skimage imageio astropy uncertainties pint pytz "
        "dateutil tzdata tzlocal openpyxl xlrd xlsxwriter lxml bs4 html5lib numpoly pythran "
        "f2py"
    ),
    "machine learning": (
        "sklearn _loss joblib skops xgboost lightgbm catboost imblearn category_encoders "
        "feature_engine sktime tslearn prophet pmdarima optuna hyperopt shap lime eli5 umap "
        "hdbscan pynndescent annoy faiss skorch torch torchvision torchaudio torchtext "
        "torch_geometric lightning pytorch_lightning lightning_fabric torchmetrics functorch "
        "torchgen triton tensorflow tensorboard keras tf_keras tensorflow_probability "
        "tensorflow_hub tensorflow_text tensorflow_io jax jaxlib flax haiku optax chex orbax "
        "transformers tokenizers huggingface_hub datasets accelerate peft trl diffusers "
        "sentence_transformers safetensors bitsandbytes gradio timm fastai fastcore spacy "
        "thinc nltk gensim flair allennlp stanza textblob langchain langchain_core "
        "langchain_community llama_index openai anthropic vllm onnx onnxruntime onnxmltools "
        "skl2onnx openvino coremltools paddle mxnet theano aesara pytensor pymc pymc3 arviz "
        "pystan cmdstanpy gpytorch botorch h2o pyspark sparkml econml causalml dowhy "
        "lifelines sksurv autogluon tpot autosklearn pycaret mlxtend yellowbrick daal4py "
        "onedal sklearnex snapml interpret ngboost river gym gymnasium stable_baselines3 ray "
        "rllib deepspeed fairscale horovod ultralytics detectron2 mmcv monai nemo whisper "
        "speechbrain espnet ctranslate2 gguf llama_cpp dill cloudpickle pickle5 pathos "
        "multiprocess klepto loky srsly implicit surprise lightfm spotlight sacremoses "
        "sentencepiece skl2pmml sklearn2pmml nyoka baikal treelite hummingbird wandb neptune "
        "comet_ml clearml dvc mlem bentoml seldon_core kserve evidently great_expectations "
        "pandera alibi alibi_detect deepchecks fairlearn aif360 captum "
        "imblearn statsforecast utilsforecast coreforecast hmmlearn pyod dask_ml "
        "kmodes pygam skbase torch_scatter catalogue confection sksurv nyoka lightning_utilities"
    ),
    "serving, pipelines and platforms": (
        "mlflow airflow tidegate tidegate_mlflow tidegate_airflow prefect dagster luigi kedro "
        "metaflow zenml kfp celery kombu rq dramatiq huey redis pymongo sqlalchemy alembic "
        "psycopg psycopg2 pg8000 pymysql MySQLdb asyncpg aiosqlite flask werkzeug jinja2 "
        "markupsafe itsdangerous django fastapi starlette uvicorn gunicorn tornado aiohttp "
        "httpx httpcore h11 requests urllib3 certifi idna websockets websocket grpc google "
        "protobuf boto3 botocore s3transfer s3fs gcsfs adlfs fsspec azure msal paramiko "
        "fabric invoke ansible docker kubernetes zmq pika kafka confluent_kafka sagemaker "
        "snowflake databricks pyhive thrift paste twisted gevent eventlet greenlet trio anyio "
        "sniffio curio pexpect ptyprocess sh plumbum psutil watchdog apscheduler streamlit "
        "dash"
    ),
    "tools of the language": (
        "pip setuptools pkg_resources wheel _distutils_hack distlib virtualenv pipenv poetry "
        "hatchling flit_core installer packaging click typer rich pygments colorama tqdm yaml "
        "ruamel toml tomli tomlkit orjson ujson simplejson rapidjson msgpack bson cbor2 "
        "jsonpickle jsonschema attr attrs cattrs pydantic pydantic_core marshmallow six "
        "future past typing_extensions importlib_metadata importlib_resources zipp "
        "more_itertools toolz cytoolz funcy wrapt decorator deprecated tenacity backoff "
        "cachetools diskcache filelock portalocker platformdirs appdirs dotenv decouple "
        "dynaconf omegaconf hydra absl IPython ipykernel ipywidgets jupyter jupyter_client "
        "jupyter_core notebook nbformat nbconvert traitlets pytest _pytest nose hypothesis "
        "mock coverage tox nox unittest2 black ruff isort flake8 pylint mypy mypy_extensions "
        "jedi parso rope code2flow cffi pycparser pybind11 ctypeslib asteval simpleeval "
        "RestrictedPython lambdify execnet rpyc Pyro4 Pyro5 dis3 xdis uncompyle6 bytecode "
        "pyximport sphinx docutils mako chameleon genshi loguru structlog sentry_sdk regex "
        "chardet charset_normalizer cryptography Crypto Cryptodome nacl OpenSSL jwt bcrypt "
        "passlib keyring git gitdb github gitlab picklescan fickling modelscan modelaudit "
        "zstandard lz4 brotli snappy py7zr rarfile defusedxml xmltodict lark pyparsing ply "
        "sly antlr4 threadpoolctl sortedcontainers blinker pluggy iniconfig exceptiongroup "
        "outcome async_timeout multidict yarl frozenlist aiosignal"
    ),
}


def main() -> None:
    """Write both files."""
    rows = [
        {
            "of": f"Python {sys.version_info[0]}.{sys.version_info[1]}",
            "names": sorted(sys.stdlib_module_names),
        }
    ]
    rows += [
        {"of": of, "names": sorted(set(names.split()))} for of, names in OTHER_VERSIONS.items()
    ]
    packages = [{"of": of, "names": sorted(set(names.split()))} for of, names in PACKAGES.items()]
    write(
        "known_modules.json",
        {
            "schema": 1,
            "how": "tools/callables/known_modules.py",
            "standard_library": rows,
            "packages": packages,
        },
    )
    write(
        "python2_names.json",
        {
            "schema": 1,
            "how": "tools/callables/known_modules.py, from the table that unpicklers apply"
            " below protocol 3",
            "modules": dict(sorted(_compat_pickle.IMPORT_MAPPING.items())),
            "names": sorted([*old, *new] for old, new in _compat_pickle.NAME_MAPPING.items()),
        },
    )


def write(name: str, table: dict[str, object]) -> None:
    """One data file, in the house's form."""
    text = json.dumps(table, indent=1, ensure_ascii=False)
    (DATA / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
