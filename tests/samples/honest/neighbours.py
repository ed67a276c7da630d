"""What lies beside models: texts, pictures, logs, tables and archives of them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from samples.honest import Writers

README = """---
license: apache-2.0
language: [en, de]
tags: [text-classification]
---
# A model

It says *good* or <b>bad</b>. See [the paper](https://arxiv.org/abs/1706.03762).

```python
from transformers import pipeline

print(pipeline("text-classification", model="acme/tiny")("a text"))
```

| metric | value |
|---|---|
| F1 | 0.93 |
"""


def texts(folder: Path) -> None:
    (folder / "README.md").write_text(README)
    (folder / "LICENSE").write_text("Apache License\nVersion 2.0, January 2004\n" * 20)
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    (folder / ".gitignore").write_text("*.pyc\n__pycache__/\n")
    (folder / "requirements.txt").write_text("numpy==2.4.6\nscikit-learn>=1.5,<2\n")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "the", "##s", "Größe", "日本"]))
    (folder / "vocab.json").write_text(json.dumps({"\x9fÃ": 0, "\x80": 1}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\nĠ t\nh e\n")
    (folder / "labels.txt").write_text("cat\ndog\nos\nsystem\n")
    (folder / "results.json").write_text(json.dumps({"f1": 0.9, "confusion": [[1, 2], [3, 4]]}))
    (folder / "log.jsonl").write_text(
        "\n".join(json.dumps({"step": s, "loss": 1 / (s + 1)}) for s in range(50))
    )
    (folder / "notes.rst").write_text("Title\n=====\n\nA text.\n")
    (folder / "CITATION.cff").write_text("cff-version: 1.2.0\ntitle: A model\n")
    (folder / "eval.csv").write_text('text,label\n"a, b",1\n=c,0\n')


def pictures(folder: Path) -> None:
    from PIL import Image

    picture = Image.fromarray(np.random.randint(0, 255, (40, 60, 3), dtype=np.uint8))
    for suffix in ("png", "jpg", "gif", "bmp", "webp", "tiff", "ico"):
        picture.save(folder / f"picture.{suffix}")


def figures(folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], label="loss")
    axes.legend()
    for suffix in ("png", "svg", "pdf"):
        figure.savefig(folder / f"figure.{suffix}")
    pyplot.close(figure)


def tables(folder: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"a": [1, 2, 3], "b": ["x", "y", None], "d": pd.date_range("2020", periods=3)}
    )
    frame.to_csv(folder / "table.csv", index=False)
    frame.to_csv(folder / "table.csv.gz", index=False)
    frame.to_json(folder / "table.json", orient="records", date_format="iso")
    frame.to_parquet(folder / "table.parquet")
    frame.to_feather(folder / "table.feather")
    frame.to_html(folder / "table.html")


def arrays(folder: Path) -> None:
    np.save(folder / "a.npy", np.random.rand(30, 3))
    np.save(folder / "names.npy", np.array(["a", "bc"]))
    np.savez(folder / "several.npz", a=np.arange(9), b=np.random.rand(3, 3))
    np.savez_compressed(
        folder / "packed.npz", a=np.arange(900), t=np.array(["2020"], dtype="M8[D]")
    )
    record = np.zeros(3, dtype=[("a", "i4"), ("b", "f8", (2,)), ("c", "U5")])
    np.save(folder / "records.npy", record)


def archives(folder: Path) -> None:
    import tarfile

    out = io.BytesIO()
    np.save(out, np.arange(9))
    with zipfile.ZipFile(folder / "data.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("data/a.npy", out.getvalue())
        made.writestr("README.md", README)
    for mode in ("w", "w:gz", "w:bz2", "w:xz"):
        with tarfile.open(folder / f"data.tar.{mode[2:] or 'plain'}", mode) as tar:
            info = tarfile.TarInfo("a/README.md")
            info.size = len(README.encode())
            tar.addfile(info, io.BytesIO(README.encode()))


WRITERS: Writers = {
    "texts": texts,
    "pictures": pictures,
    "figures": figures,
    "tables": tables,
    "arrays": arrays,
    "archives": archives,
}
