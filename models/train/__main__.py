"""The one command that rebuilds the weights.

It reads the sets, embeds texts with the whole base encoder (what the smaller one is taught to keep), fits all heads
at once, exports to int8 ONNX, fills the memory and calibrates on held-back labels; `fengxiang evaluate --model
OUT/weights` scores it.
Killed, it goes on from the last epoch when run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.evaluate.sets import GOLD
from models.themes import built_in
from models.tokens import Tokens
from models.train import guesses, own_sets, templates, theme_templates, tone_sets, weak_sets
from models.train.calibrate import calibrate
from models.train.examples import OWN, Example, jsonl
from models.train.export import export
from models.train.fit import Plan, batches, fit, prepare
from models.train.network import Network, load_encoder
from models.train.remember import remember
from models.train.restore import restore
from models.train.usual import usual
from models.train.wide import fit_wide

TAUGHT = 12_000  # texts embedded by the base, times the scale
SIZED = 300  # texts that tell how large the encoder's states get, for int8
GUESSED = 30_000  # wires labelled by the weights that a run starts from, times the scale


@dataclass(frozen=True)
class Stage:
    """A pass over the sets: `scale` of the weakly labelled ones, `copies` of our own labels, `posts` of FinFE's."""

    name: str
    scale: float
    copies: int
    posts: int
    epochs: int
    rate: float
    weak_wires: bool
    theme_weight: float


def gather(data: Path, rng: random.Random, stage: Stage, labels: Path, start: Path | None) -> list[Example]:
    """All training examples of a stage; `start`: weights to guess by."""
    scale = stage.scale
    hand, dev = own_sets.silver(labels, data)
    skip = {example.key for example in hand + dev}
    names = [row["short_name"] for row in read_csv(data / "securities/a_share_master.csv") if row["active"] == "True"]
    ambiguous = [row["m"] for row in read_csv(data / "securities/ambiguous_names.csv") if len(row["m"]) > 1]
    folder = data / "labels"

    def some(pool: list[Example], share: float) -> list[Example]:
        return rng.sample(pool, int(len(pool) * min(1, share * scale)))

    made = [e for e in tone_sets.finfe(folder)[0] if not e.key.startswith("hold")] * stage.posts
    made += tone_sets.company_titles(folder)[0] + tone_sets.finnsp(folder)[0]
    made += some(tone_sets.guba(folder), 0.7) + some(tone_sets.finese(folder), 0.5)
    if stage.weak_wires:
        made += weak_sets.wire_examples(data, rng, int(7000 * scale), int(2000 * scale), skip)
    made += weak_sets.title_examples(data / "reports/titles.csv", rng, int(5000 * scale), int(1500 * scale), skip)
    made += weak_sets.headline_examples(folder / "thucnews_headlines/dev.jsonl", rng, int(1200 * scale))
    made += weak_sets.word_or_company(data, rng, int(1500 * scale))
    made += templates.examples(names, ambiguous, rng, int(3000 * scale))
    made += theme_templates.examples(names, rng, int(150 * scale))
    made += own_sets.written(labels.with_name("written.jsonl")) * stage.copies
    if start:
        held = {row["ref"] for row in jsonl(GOLD)}
        made += guesses.examples(start, data, skip | held, rng, int(GUESSED * scale), torch.get_num_threads())
    return made + hand * stage.copies


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@torch.inference_mode()
def teach(base: Path, examples: list[Example], tokens: Tokens, path: Path, most: int) -> dict[str, np.ndarray]:
    """Mean-pooled embeddings of the whole base encoder, centred, of at most `most` texts; kept in `path`."""
    if path.exists():
        stored = np.load(path)
        return dict(zip(stored["keys"].tolist(), stored["vectors"].astype(np.float32), strict=True))
    encoder = load_encoder(base, 99).eval()
    texts = list({e.key: e for e in examples if e.embed}.values())
    items = prepare(random.Random(0).sample(texts, min(most, len(texts))), tokens, random.Random(0))
    vectors = np.zeros((len(items), encoder.config.hidden_size), np.float32)
    for batch in batches(items, 4096, None):
        length = max(len(items[i].ids) for i in batch)
        ids, mask = torch.full((len(batch), length), tokens.pad), torch.zeros((len(batch), length), dtype=torch.long)
        for r, i in enumerate(batch):
            ids[r, : len(items[i].ids)] = torch.tensor(items[i].ids)
            mask[r, : len(items[i].ids)] = 1
        with torch.autocast("cpu", torch.bfloat16):
            hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        vectors[batch] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
    vectors -= vectors.mean(0)
    keys = np.array([item.example.key for item in items])
    np.savez(path, keys=keys, vectors=vectors.astype(np.float16))
    return dict(zip(keys.tolist(), vectors, strict=True))


def average(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """Each weight between what it was and what it became: `share` of the first. What is no fraction is as it became."""
    return {
        name: torch.lerp(value, before[name], share) if value.is_floating_point() else value
        for name, value in after.items()
    }


def base_tokenizer(base: Path, out: Path) -> Path:
    """A folder with the base's `tokenizer.json`, made in `out` where the base has only an older form."""
    if (base / "tokenizer.json").exists():
        return base
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(base).backend_tokenizer.save(str(out / "tokenizer.json"))
    return out


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels/, wires/, reports/, securities/")
    parser.add_argument("--base", type=Path, required=True, help="folder of the base encoder (Hugging Face checkpoint)")
    parser.add_argument("--out", type=Path, required=True, help="work folder; run again to resume")
    parser.add_argument("--labels", type=Path, default=own_sets.LABELS / "silver.jsonl")
    parser.add_argument("--start", type=Path, help="weights made before, to go on from: a folder, or a network.pt")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=2, help="of the first stage, over everything")
    parser.add_argument("--polish", type=int, default=2, help="epochs of the second, with fewer weak labels")
    parser.add_argument("--minutes", type=float, default=1e9, help="ceiling of each stage; the schedule follows")
    parser.add_argument("--frozen", type=int, default=0, help="lowest layers that stay as they are")
    parser.add_argument("--keep", type=float, default=0.0, help="share of the weights before the polish in the result")
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the weakly labelled sets")
    parser.add_argument("--without", nargs="*", default=[], metavar="SET", help="sets to leave out")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.out.mkdir(parents=True, exist_ok=True)
    folder = base_tokenizer(args.base, args.out)
    tokens = Tokens(folder)
    torch.manual_seed(args.seed)
    network = Network(load_encoder(args.base, args.layers), len(built_in().ids))
    stages = [
        Stage("first", args.scale, 3, 1, args.epochs, args.rate, True, 3.0),
        Stage("polish", args.scale * 0.25, 2, 2, args.polish, args.rate / 2, False, 6.0),
    ]
    source = args.start if args.start and args.start.is_dir() else None
    if args.start:
        stages = stages[1:]
        if source:
            restore(network, source)
        else:
            network.load_state_dict(torch.load(args.start))
    seen: dict[str, dict[str, int]] = {}
    for stage in stages:
        work = args.out / stage.name
        work.mkdir(exist_ok=True)
        made = gather(args.data, random.Random(args.seed), stage, args.labels, source)
        made = [example for example in made if example.source not in args.without]
        seen[stage.name] = dict(Counter(example.source for example in made))
        print(json.dumps({"stage": stage.name, "examples": seen[stage.name]}), flush=True)
        teacher = teach(args.base, made, tokens, args.out / "teacher.npz", int(TAUGHT * stage.scale))
        plan = Plan(
            stage.epochs, stage.rate, seed=args.seed, minutes=args.minutes, theme_weight=stage.theme_weight,
            frozen=args.frozen,
        )  # fmt: skip
        before = {name: value.clone() for name, value in network.state_dict().items()}
        fit(network, made, tokens, plan, teacher, work)
        if stage.name == "polish" and args.keep:
            network.load_state_dict(average(before, network.state_dict(), args.keep))
        torch.save(network.state_dict(), work / "network.pt")
    weights = args.out / "weights"
    weights.mkdir(exist_ok=True)
    fit_wide(made, weights / "ngrams.npz")
    usual(weights / "ngrams.npz", args.data)
    sizing = prepare(random.Random(0).sample(made, min(SIZED, len(made))), tokens, random.Random(0))
    about = {"layers": args.layers, "seed": args.seed, "examples": seen}
    export(network, folder, weights, [item.ids for item in sizing], about)
    remember(weights, list({example.key: example for example in made if example.source in OWN}.values()))
    print(json.dumps({"calibrated": calibrate(weights, args.data, args.labels)}, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
