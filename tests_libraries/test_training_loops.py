"""Tests of K in the training loops of large libraries.

They need the extra ``libraries`` and stand apart, so that no other run collects them::

    python -m pytest tests_libraries
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import bitfold

pytestmark = [
    pytest.mark.libraries,
    # What the libraries themselves warn of.
    pytest.mark.filterwarnings("default"),
]
EXAMPLES = Path(__file__).parent.parent / "examples"


def assert_file_is_as_described(module: Any, loss: bitfold.KolmogorovLoss, path: Path) -> None:
    """A file has the size of `bits`, and is read into another module as the decoded state."""
    num_bytes = bitfold.write_model(path, module, loss)
    assert abs(num_bytes - loss.bits().total / 8) < 0.01 * num_bytes + 16
    other = copy.deepcopy(loss.table.module)
    with torch.no_grad():
        for item in other.parameters():
            item.zero_()
    bitfold.read_model(path, into=other)
    decoded = loss.decoded_state()
    for name in loss.table.names:
        assert torch.equal(other.get_parameter(name), decoded[name]), name


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "mobilenetv3_small_100"])
def test_networks_of_timm(name: str, tmp_path: Path) -> None:
    """A step in quantised blocks lowers the loss's gradient to weights and steps; a file."""
    import timm

    torch.manual_seed(0)
    settings = {"img_size": 32} if "vit" in name else {}
    network = timm.create_model(name, num_classes=10, **settings)
    loss = bitfold.KolmogorovLoss(network, quantise="learned")
    with loss.quantised():
        task = nn.functional.cross_entropy(network(torch.randn(4, 3, 32, 32)), torch.arange(4))
    (task + 0.1 * loss()).backward()
    assert all(item.grad is not None for item in network.parameters())
    assert all(item.grad is not None for item in loss.weight_range.parameters())
    assert_file_is_as_described(network, loss, tmp_path / "a.bitfold")


def test_skorch(tmp_path: Path) -> None:
    """A classifier whose loss has K added, with an optimiser for both."""
    from skorch import NeuralNetClassifier

    class Short(NeuralNetClassifier):  # type: ignore[misc]
        """Adds K."""

        def initialize_module(self) -> Any:
            """Make the loss with the module; skorch optimises the parameters of both."""
            super().initialize_module()
            self.kolmogorov_ = bitfold.KolmogorovLoss(self.module_)
            return self

        def get_loss(self, y_pred: Any, y_true: Any, *args: Any, **options: Any) -> Any:
            """The task's loss and K."""
            task = super().get_loss(y_pred, y_true, *args, **options)
            return task + 0.3 * self.kolmogorov_() if self.module_.training else task

    torch.manual_seed(0)
    points = np.random.default_rng(0).normal(size=(600, 20)).astype(np.float32)
    classes = points[:, :3].argmax(1)
    module = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 3))
    net = Short(
        module, criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam, lr=0.01, max_epochs=30, verbose=0, train_split=None,
    )  # fmt: skip
    net.initialize()
    before = net.kolmogorov_.bits().total
    net.fit(points, classes)
    assert (net.predict(points) == classes).mean() > 0.9
    assert net.kolmogorov_.bits().total < 0.9 * before
    assert_file_is_as_described(net.module_, net.kolmogorov_, tmp_path / "a.bitfold")


def language_model(kind: str) -> nn.Module:
    """A small GPT-2 or Llama from a configuration, without any download."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    if kind == "gpt2":
        config = GPT2Config(
            vocab_size=50, n_positions=32, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0,
        )  # fmt: skip
        gpt: nn.Module = GPT2LMHeadModel(config)
        return gpt
    llama: nn.Module = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
            num_attention_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip
    return llama


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("checkpointed", [False, True])
def test_the_trainer_of_hugging_face(
    kind: str, checkpointed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example's callback saves the loss's state, and a resumed run goes on with it."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import huggingface_trainer as example
    from transformers import TrainingArguments

    line = torch.arange(16)
    data = [{"input_ids": line, "labels": line}] * 32

    def made(steps: int, folder: Path) -> Any:
        model = language_model(kind)
        arguments = TrainingArguments(
            str(folder), max_steps=steps, per_device_train_batch_size=4, save_steps=4,
            report_to=[], logging_strategy="no", disable_tqdm=True, learning_rate=1e-2,
            lr_scheduler_type="constant", gradient_checkpointing=checkpointed, use_cpu=True,
        )  # fmt: skip
        kolmogorov = bitfold.KolmogorovLoss(model)
        return example.ShortTrainer(
            kolmogorov=kolmogorov, weight=0.1, model=model, args=arguments, train_dataset=data
        )

    whole = made(8, tmp_path / "whole")
    whole.train()
    first = made(4, tmp_path)
    first.train()
    saved = {name: item.clone() for name, item in first.kolmogorov.state_dict().items()}
    rest, checkpoint = made(8, tmp_path), tmp_path / "checkpoint-4"
    fresh = {name: item.clone() for name, item in rest.kolmogorov.state_dict().items()}
    example.KeepKolmogorov(rest.kolmogorov).load(checkpoint)
    for name, item in rest.kolmogorov.state_dict().items():
        assert torch.equal(item, saved[name]), name
    assert any(not torch.equal(item, fresh[name]) for name, item in saved.items())
    rest.train(resume_from_checkpoint=str(checkpoint))
    assert rest.state.global_step == 8
    for name, item in rest.kolmogorov.state_dict().items():
        assert torch.equal(item, whole.kolmogorov.state_dict()[name]), name
    for own, other in zip(rest.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(own, other)
    assert (tmp_path / "checkpoint-8" / example.STATE_NAME).is_file()
    assert_file_is_as_described(rest.model, rest.kolmogorov, tmp_path / "a.bitfold")


def test_accelerate(tmp_path: Path) -> None:
    """A loss that is made of the prepared module describes the module within."""
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    model = language_model("llama")
    model, optimizer = accelerator.prepare(model, torch.optim.Adam(model.parameters(), 1e-2))
    loss = bitfold.KolmogorovLoss(model)
    optimizer.add_param_group({"params": list(loss.parameters())})
    tokens = torch.arange(64).view(4, 16) % 50
    values = []
    for _ in range(10):
        total = model(input_ids=tokens, labels=tokens).loss + 0.1 * loss()
        accelerator.backward(total)
        optimizer.step()
        optimizer.zero_grad()
        values.append(total.item())
    assert values[-1] < values[0]
    assert_file_is_as_described(model, loss, tmp_path / "a.bitfold")


def test_low_rank_adapters_of_peft(tmp_path: Path) -> None:
    """The frozen base counts as float32, and says so; with rest_bits=0 the adapter is the file."""
    from peft import LoraConfig, get_peft_model

    base: Any = language_model("llama")
    model: Any = get_peft_model(base, LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    loss = bitfold.KolmogorovLoss(model)
    assert "frozen: 32 bits a number; rest_bits=0 if a decoder has them" in str(loss.bits())
    loss = bitfold.KolmogorovLoss(model, rest_bits=0)
    assert not loss.bits().note
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], 1e-2)
    tokens, first = torch.arange(64).view(4, 16) % 50, None
    for _ in range(20):
        total = model(input_ids=tokens, labels=tokens).loss + 0.1 * loss()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        first = total.item() if first is None else first
        assert total.item() < first + 0.1  # B begins at zero, and is not read as dead
    num_bytes = bitfold.write_model(tmp_path / "a.bitfold", model, loss)
    assert num_bytes < loss.num_weights
