"""A feed is read whole or refused: broken, hostile and half-downloaded ones give nothing."""

import json
import zipfile

import pytest
from samples.advisory_feeds import record, zipped

from tidegate.dependencies import feed_files
from tidegate.dependencies.feed_files import FeedRefusedError, read_feed


def test_a_folder_and_a_zip_of_the_same_records_are_the_same_feed(tmp_path):
    records = [record("A-1", "a", "1.0"), record("B-1", "b", "2.0")]
    folder = tmp_path / "feed" / "vulns" / "a"
    folder.mkdir(parents=True)
    for each in records:
        (folder / f"{each['id']}.json").write_text(json.dumps(each))
    (tmp_path / "feed" / ".github").mkdir()
    (tmp_path / "feed" / ".github" / "workflow.yaml").write_text("on: push")
    (tmp_path / "feed" / "README.md").write_text("Not a record.")
    of_folder = read_feed(tmp_path / "feed", name="f")
    assert of_folder == read_feed(zipped(tmp_path / "all.zip", *records), name="f")
    assert [each.id for each in of_folder.advisories] == ["A-1", "B-1"]


def test_links_in_a_folder_are_not_followed(tmp_path):
    (tmp_path / "secret.json").write_text(json.dumps(record("A-1", "a", "1.0")))
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "A-1.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(FeedRefusedError, match=r"no advisory"):
        read_feed(tmp_path / "feed", name="f")


def test_half_a_download_is_refused_wherever_it_ends(tmp_path):
    whole = zipped(tmp_path / "all.zip", *(record(f"A-{n}", "a", "1.0") for n in range(50)))
    data = whole.read_bytes()
    for size in (0, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "half.zip").write_bytes(data[:size])
        with pytest.raises(FeedRefusedError):
            read_feed(tmp_path / "half.zip", name="f")


def test_a_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("A-1.json", json.dumps(record("A-1", "a", "1.0")))
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"fixed": "1.0"', b'"fixed": "0.0"', 1))
    with pytest.raises(FeedRefusedError, match=r"no whole zip"):
        read_feed(path, name="f")


def test_a_member_that_unfolds_without_end_is_cut_off_and_the_feed_refused(tmp_path):
    path = zipped(tmp_path / "all.zip", record("A-1", "a", "1.0"))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("B-1.json", b" " * (64 << 20))
    with pytest.raises(FeedRefusedError):
        read_feed(path, name="f")


@pytest.mark.parametrize("limit", ["MOST_RECORDS", "MOST_BYTES"])
def test_more_than_the_limits_is_refused(tmp_path, monkeypatch, limit):
    path = zipped(tmp_path / "all.zip", *(record(f"A-{n}", "a", "1.0") for n in range(20)))
    monkeypatch.setattr(feed_files, limit, 10)
    with pytest.raises(FeedRefusedError, match=r"more than"):
        read_feed(path, name="f")


def test_one_id_with_two_contents_is_refused(tmp_path):
    path = zipped(tmp_path / "all.zip", record("A-1", "a", "1.0"))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other/A-1.json", json.dumps(record("A-1", "a", "0.1")))
    with pytest.raises(FeedRefusedError, match=r"which differ"):
        read_feed(path, name="f")


def test_a_record_under_anothers_name_is_not_taken_for_it(tmp_path):
    path = zipped(tmp_path / "all.zip", *(record(f"A-{n}", "a", "1.0") for n in range(200)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("B-1.json", json.dumps(record("C-1", "c", "0.1")))
    read = read_feed(path, name="f")
    assert [place for place, _ in read.unread] == ["B-1.json"]
    assert "C-1" not in {each.id for each in read.advisories}


def test_a_few_records_that_cannot_be_read_are_told_of_and_many_are_refused(tmp_path):
    path = zipped(tmp_path / "all.zip", *(record(f"A-{n}", "a", "1.0") for n in range(200)))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("B-1.json", "{")
    assert len(read_feed(path, name="f").unread) == 1
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(2, 9):
            archive.writestr(f"B-{number}.json", "{")
    with pytest.raises(FeedRefusedError, match=r"can't be read"):
        read_feed(path, name="f")
