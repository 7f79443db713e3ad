"""Fine-tuning: batches of like length, one loss for all heads, checkpoints to resume from."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from models.reading import plain, read
from models.records import Span
from models.tokens import Tokens, token_weights
from models.train.examples import Example, without_cues
from models.train.network import Network, Output, allowed_loss

FILLERS = " 某X*□"


@dataclass
class Item:
    """An example as the encoder sees it."""

    example: Example
    ids: list[int]
    targets: list[tuple[int, list[int], list[int]]]  # index into the example's targets, its tokens, its clause's tokens


def prepare(examples: Sequence[Example], tokens: Tokens, rng: random.Random, masked: float = 0.0) -> list[Item]:
    """Windows and tokens of each example; `masked` is the share whose cues are overwritten."""
    made: list[tuple[Example, str, list[tuple[int, list[tuple[int, int]], list[tuple[int, int]]]]]] = []
    for example in examples:
        if masked and max(example.themes.values(), default=0) >= 0.5 and rng.random() < masked:
            example = without_cues(example, rng.choice(FILLERS))
        title, body = plain(example.title), plain(example.body)
        spans = [Span(f, s, e) for target in example.targets for f, s, e in target.spans]
        window = read(title, body, spans)[0]
        targets = []
        for index, target in enumerate(example.targets):
            places = [p for f, s, e in target.spans if (p := window.locate(Span(f, s, e)))]
            if places:
                targets.append((index, places, [window.clause(*p) for p in places]))
        made.append((example, window.text, targets))
    encoded = tokens.encode([text for _, text, _ in made])
    items = []
    for (example, _, targets), (ids, offsets) in zip(made, encoded, strict=True):
        kept = []
        for index, places, clauses in targets:
            at, around = token_weights(offsets, places), token_weights(offsets, clauses)
            if at and around:
                kept.append((index, at, around))
        items.append(Item(example, ids, kept))
    return items


def batches(items: Sequence[Item], budget: int, rng: random.Random | None) -> list[list[int]]:
    """Indices in batches of about `budget` tokens, like lengths together; shuffled where `rng` is given."""
    order = sorted(range(len(items)), key=lambda i: len(items[i].ids) + (rng.random() * 8 if rng else 0))
    made: list[list[int]] = []
    batch: list[int] = []
    for i in order:
        if batch and (len(batch) + 1) * max(len(items[i].ids), len(items[batch[-1]].ids)) > budget:
            made.append(batch)
            batch = []
        batch.append(i)
    if batch:
        made.append(batch)
    if rng:
        rng.shuffle(made)
    return made


def run(network: Network, items: Sequence[Item], batch: Sequence[int], pad: int) -> Output:
    """One forward pass in bfloat16."""
    rows = [items[i] for i in batch]
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), pad)
    mask = torch.zeros((len(rows), length), dtype=torch.long)
    owner, places, clauses = [], [], []
    for r, row in enumerate(rows):
        ids[r, : len(row.ids)] = torch.tensor(row.ids)
        mask[r, : len(row.ids)] = 1
        for _, at, around in row.targets:
            place, clause = torch.zeros(length), torch.zeros(length)
            place[at], clause[around] = 1 / len(at), 1 / len(around)
            owner.append(r)
            places.append(place)
            clauses.append(clause)
    with torch.autocast("cpu", torch.bfloat16):
        return network(
            ids, mask, torch.tensor(owner, dtype=torch.long),
            torch.stack(places) if places else torch.zeros(0, length),
            torch.stack(clauses) if clauses else torch.zeros(0, length),
        )  # fmt: skip


def loss_of(
    output: Output, rows: Sequence[Item], teacher: dict[str, np.ndarray], theme_weight: float = 3.0
) -> torch.Tensor:
    """The sum of each head's loss over the rows that have its label."""
    total = output.tone.new_zeros(())
    style = torch.tensor([row.example.style for row in rows])
    total = total + 0.3 * nn.functional.cross_entropy(output.style, style)
    toned = [i for i, row in enumerate(rows) if row.example.tone]
    if toned:
        labels = [rows[i].example.tone for i in toned]
        weight = torch.tensor([rows[i].example.weight for i in toned])
        each = allowed_loss(
            output.tone[toned, style[toned]],
            torch.tensor([label.allowed for label in labels]),
            torch.tensor([label.among for label in labels]),
        )
        total = total + (each * weight).sum() / len(rows)
    flat = [(row.example.targets[index], row.example.weight) for row in rows for index, _, _ in row.targets]
    known = [i for i, (target, _) in enumerate(flat) if target.tone]
    if known:
        each = allowed_loss(
            output.target[known],
            torch.tensor([flat[i][0].tone.allowed for i in known]),
            torch.tensor([flat[i][0].tone.among for i in known]),
        )
        total = total + (each * torch.tensor([flat[i][1] for i in known])).sum() / len(rows)
    linked = [i for i, (target, _) in enumerate(flat) if target.is_company is not None]
    if linked:
        truth = torch.tensor([float(flat[i][0].is_company) for i in linked])
        each = nn.functional.binary_cross_entropy_with_logits(output.company[linked], truth, reduction="none")
        total = total + 0.5 * (each * torch.tensor([flat[i][1] for i in linked])).sum() / len(rows)
    themes = [(i, k, v, row.example.weight) for i, row in enumerate(rows) for k, v in row.example.themes.items()]
    if themes:
        at, which, value, weight = zip(*themes, strict=True)
        each = nn.functional.binary_cross_entropy_with_logits(
            output.themes[list(at), list(which)], torch.tensor(value, dtype=torch.float32), reduction="none"
        )
        total = total + theme_weight * (each * torch.tensor(weight)).sum() / (len(rows) * output.themes.shape[1])
    taught = [i for i, row in enumerate(rows) if row.example.embed and row.example.key in teacher]
    if taught:
        goal = torch.from_numpy(np.stack([teacher[rows[i].example.key] for i in taught])).float()
        each = 1 - nn.functional.cosine_similarity(output.embedding[taught], goal)
        total = total + each.sum() / len(rows)
    return total


@dataclass(frozen=True)
class Plan:
    """How to fit. `budget`: tokens in a batch."""

    epochs: int
    rate: float
    budget: int = 1536
    masked: float = 0.4
    theme_weight: float = 3.0
    seed: int = 0
    minutes: float = 1e9  # stop early; the schedule then follows the clock
    frozen: int = 0  # lowest layers that stay as they are


def fit(
    network: Network, examples: Sequence[Example], tokens: Tokens, plan: Plan, teacher: dict[str, np.ndarray], out: Path
) -> None:
    """Fit in place; `out/checkpoint.pt` after each epoch, resumed from when it is there."""
    torch.manual_seed(plan.seed)
    network.encoder.embeddings.requires_grad_(False)
    network.encoder.encoder.layer[: plan.frozen].requires_grad_(False)
    body = [p for n, p in network.named_parameters() if p.requires_grad and n.startswith("encoder.")]
    head = [p for n, p in network.named_parameters() if p.requires_grad and not n.startswith("encoder.")]
    optimiser = torch.optim.AdamW(
        [{"params": body, "lr": plan.rate}, {"params": head, "lr": plan.rate * 5}], weight_decay=0.01
    )
    scale = [group["lr"] for group in optimiser.param_groups]
    checkpoint, first = out / "checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["epoch"]
    began = time.monotonic()
    for epoch in range(first, plan.epochs):
        rng = random.Random(plan.seed * 1000 + epoch)
        items = prepare(examples, tokens, rng, plan.masked)
        todo = batches(items, plan.budget, rng)
        network.train()
        losses = []
        for step, batch in enumerate(todo):
            spent = (time.monotonic() - began) / 60 / plan.minutes
            done = max((epoch + step / len(todo)) / plan.epochs, spent)
            if done >= 1:
                break
            for group, rate in zip(optimiser.param_groups, scale, strict=True):
                group["lr"] = (
                    rate * min(1.0, (epoch * len(todo) + step + 1) / 200) * 0.5 * (1 + math.cos(math.pi * done))
                )
            loss = loss_of(
                run(network, items, batch, tokens.pad), [items[i] for i in batch], teacher, plan.theme_weight
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            losses.append(loss.item())
            if step % 200 == 199 or step == len(todo) - 1:
                line = {
                    "epoch": epoch,
                    "step": step + 1,
                    "of": len(todo),
                    "loss": round(float(np.mean(losses[-200:])), 4),
                }
                print(json.dumps(line | {"seconds": round(time.monotonic() - began)}), flush=True)
        torch.save(
            {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "epoch": epoch + 1}, checkpoint
        )


@torch.inference_mode()
def predict(
    network: Network, examples: Sequence[Example], tokens: Tokens, masked: bool = False
) -> list[tuple[Item, dict[str, np.ndarray]]]:
    """Raw scores of each example, in order: style, tone (2,3), themes, embedding, target (m,3), company (m)."""
    network.eval()
    items = prepare(examples, tokens, random.Random(0), 1.0 if masked else 0.0)
    found: list[dict[str, np.ndarray]] = [{} for _ in items]
    for batch in batches(items, 2048, None):
        output = run(network, items, batch, tokens.pad)
        start = 0
        for r, i in enumerate(batch):
            m = len(items[i].targets)
            found[i] = {k: getattr(output, k)[r].float().numpy() for k in ("style", "tone", "themes", "embedding")}
            found[i] |= {k: getattr(output, k)[start : start + m].float().numpy() for k in ("target", "company")}
            start += m
    return list(zip(items, found, strict=True))
