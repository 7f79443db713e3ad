"""Settings: the environment wins over the file, and every mistake is named."""

import pytest

from deploy import settings
from deploy.settings import SettingsError, clickhouse_arguments, read, redact, secret


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_are_the_embedded_stack():
    found = read()
    assert found.embedded_kafka and found.embedded_clickhouse
    assert found.kafka_servers == ["127.0.0.1:9092"]
    assert found.producer_batch_bytes == 0  # the embedded broker counts a batch as one offset


def test_two_settings_move_out_of_the_embedded_stack(monkeypatch):
    monkeypatch.setenv("FENGXIANG_KAFKA", "k1:9092, k2:9093")
    monkeypatch.setenv("FENGXIANG_CLICKHOUSE", "https://ann:s%40cret@ch.example:8443/news")
    found = read()
    assert not found.embedded_kafka and not found.embedded_clickhouse
    assert found.kafka_servers == ["k1:9092", "k2:9093"]
    assert found.producer_batch_bytes > 0
    arguments = clickhouse_arguments(found.clickhouse_url(writer=True))
    assert arguments["password"] == "s@cret" and arguments["database"] == "news" and arguments["port"] == 8443


def test_environment_wins_over_the_file(empty_folder, monkeypatch):
    (empty_folder / "fengxiang.toml").write_text("[stream]\nbatch_size = 7\npartitions = 3\n")
    monkeypatch.setenv("FENGXIANG_STREAM__BATCH_SIZE", "9")
    found = read()
    assert (found.stream.batch_size, found.stream.partitions) == (9, 3)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nonsense = 1", "nonsense"),
        ("[stream]\nbatch = 1", "stream.batch"),
        ("[stream]\nbatch_size = 'many'", "stream.batch_size"),
        ("[local]\nkafka_port = 99999", "local.kafka_port"),
        ("kafka = 'nowhere'", "kafka"),
        ("clickhouse = 'ftp://x'", "clickhouse"),
        ("clickhouse = 'http://host:81x3/news'", "clickhouse"),
        ("[[broken", "fengxiang.toml"),
    ],
)
def test_a_wrong_key_in_the_file_is_named(empty_folder, text, named):
    (empty_folder / "fengxiang.toml").write_text(text)
    with pytest.raises(SettingsError, match=named):
        read()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FENGXIANG_NONSENSE", "1"),
        ("FENGXIANG_STREAM__BATCH", "1"),
        ("FENGXIANG_STREAM__BATCH_SIZE", "many"),
        ("FENGXIANG_STREAM", "abc"),
        ("FENGXIANG_INGEST__FEEDS", "[{"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=variable):
        read()


def test_a_missing_config_file_is_named(monkeypatch):
    monkeypatch.setenv("FENGXIANG_CONFIG", "elsewhere.toml")
    with pytest.raises(SettingsError, match=r"elsewhere\.toml"):
        read()


def test_an_error_never_shows_a_password(empty_folder):
    (empty_folder / "fengxiang.toml").write_text("clickhouse = 'ftp://ann:hunter2@host/x'")
    with pytest.raises(SettingsError) as caught:
        read()
    assert "hunter2" not in str(caught.value)
    assert redact("http://ann:hunter2@host/x") == "http://ann:***@host/x"
    assert redact("http://ann@corp.example:hunter2@host/x") == "http://ann@corp.example:***@host/x"


@pytest.mark.parametrize("table", ["name = 'x'\ntoken = 'hunter2'", "type = 'tushare'\ntoken = ['hunter2']"])
def test_an_error_in_a_table_names_the_key_and_shows_no_secret_beside_it(empty_folder, table):
    (empty_folder / "fengxiang.toml").write_text(f"[[ingest.feeds]]\n{table}\n")
    with pytest.raises(SettingsError, match=r"ingest\.feeds\.0\.(type|token) in fengxiang\.toml") as caught:
        read()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("password", ["hunter#2", "hunter/2", "hunter?2", "hunter[2", "99#hunter2"])
def test_a_password_that_ends_the_address_is_told_and_not_shown(monkeypatch, password):
    monkeypatch.setenv("FENGXIANG_CLICKHOUSE", f"http://ann:{password}@host:8123/db")
    with pytest.raises(SettingsError, match=r"FENGXIANG_CLICKHOUSE.*%23") as caught:
        read()
    assert "hunter" not in str(caught.value)


def test_an_ipv6_address_stands_in_brackets(monkeypatch):
    monkeypatch.setenv("FENGXIANG_DASHBOARD__HOST", "::1")
    assert read().dashboard_address == "http://[::1]:8501"


def test_a_secret_is_made_once_and_kept_private(empty_folder):
    first = secret(empty_folder, "token")
    assert secret(empty_folder, "token") == first and len(first) >= 24
    assert (empty_folder / "secrets" / "token").stat().st_mode & 0o077 == 0
    assert settings.secret(empty_folder, "other") != first


def test_every_setting_is_documented():
    from pathlib import Path

    text = (Path(settings.__file__).parent.parent / "docs" / "operations.md").read_text(encoding="utf-8")
    missing = [v for v in settings._known_variables(settings.Settings) if f"`{v}`" not in text]
    fields = settings.Settings.model_fields.items()
    sections = {f"FENGXIANG_{name.upper()}" for name, field in fields if isinstance(field.default, settings.Section)}
    assert sorted(set(missing) - sections) == []
