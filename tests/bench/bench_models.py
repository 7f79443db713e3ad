"""Reading speed on real wires, against `transformers.pipeline` with a model in the shape of BERT-base-Chinese.

    python -m tests.bench.bench_models --wires wires.jsonl.gz [--count 512] [--threads 2] [--only ours]

Every contender runs in a process of its own on the same texts: ours is the whole analysis (companies, themes, tone,
tone toward each company); the pipeline classifies the same title and body into three classes, cut at 512 tokens.
Weights of the rivals are random: speed doesn't depend on them. The rivals need the `train` extra (PyTorch, onnx).
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Texts = list[tuple[str, str]]
Reader = Callable[[Texts], object]


def load_wires(path: Path, count: int) -> Texts:
    """`count` wires evenly spread over a JSONL file (title, content or body)."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    step = max(1, len(rows) // count)
    return [(row["title"] or "", row.get("content") or row.get("body") or "") for row in rows[::step]][:count]


def ours(threads: int) -> Reader:
    """The shipped analyser."""
    from datetime import UTC, datetime

    from models.analyse import Analyser
    from models.records import Document

    analyser = Analyser.load(threads=threads)
    now = datetime(2026, 7, 1, tzinfo=UTC)

    def run(texts: Texts) -> object:
        return analyser.analyse(
            [
                Document(id=str(i), source="b", kind="wire", title=t, body=b, published_at=now, fetched_at=now)
                for i, (t, b) in enumerate(texts)
            ]
        )

    return run


def _characters(folder: Path) -> Any:
    """A tokenizer like BERT-base-Chinese's: one token a Chinese character."""
    from transformers import BertTokenizerFast

    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(chr(c) for c in range(0x21, 0x7F))]
    vocab += [f"##{chr(c)}" for c in range(0x21, 0x7F)] + [chr(c) for c in range(0x4E00, 0x4E00 + 20_000)]
    (folder / "vocab.txt").write_text("\n".join([*vocab, *"，。：；！？（）【】《》“”、％"]), encoding="utf-8")
    return BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=512)


def _bert() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(vocab_size=21128, num_labels=3)).eval()


def pipeline_torch(threads: int) -> Reader:
    """`transformers.pipeline`, torch in fp32, batches of eight."""
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    tokenizer = _characters(Path(tempfile.mkdtemp()))
    classify = pipeline("text-classification", model=_bert(), tokenizer=tokenizer, device="cpu")
    return lambda texts: classify([f"{t} {b}" for t, b in texts], batch_size=8, truncation=True, max_length=512)


def pipeline_onnx(threads: int) -> Reader:
    """The same model as int8 ONNX, sorted by length, batches of eight."""
    import onnxruntime
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder = Path(tempfile.mkdtemp())
    tokenizer, model = _characters(folder), _bert()
    model.config._attn_implementation = "eager"
    ids = torch.ones((2, 16), dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        model, (ids, ids), str(folder / "m.onnx"), input_names=["input_ids", "attention_mask"], output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes}, opset_version=17, dynamo=False,
    )  # fmt: skip
    quantize_dynamic(folder / "m.onnx", folder / "q.onnx", weight_type=QuantType.QInt8, per_channel=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / "q.onnx"), options)

    def run(texts: Texts) -> object:
        joined = sorted((f"{t} {b}" for t, b in texts), key=len)
        for at in range(0, len(joined), 8):
            batch = tokenizer(joined[at : at + 8], padding=True, truncation=True, max_length=512, return_tensors="np")
            session.run(None, {k: batch[k] for k in ("input_ids", "attention_mask")})
        return None

    return run


CONTENDERS: dict[str, Callable[[int], Reader]] = {
    "ours": ours,
    "BERT-base pipeline, torch fp32": pipeline_torch,
    "BERT-base, ONNX int8": pipeline_onnx,
}


def _memory_mb() -> float:
    """Resident memory now, not at its peak (exporting a rival needs more than running it)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _measure(name: str, threads: int, texts: Texts, singles: int, out: Any) -> None:
    read = CONTENDERS[name](threads)
    read(texts[:16])
    latencies = []
    for text in texts[:singles]:
        began = time.perf_counter()
        read([text])
        latencies.append(time.perf_counter() - began)
    began = time.perf_counter()
    cpu = time.process_time()
    for at in range(0, len(texts), 64):
        read(texts[at : at + 64])
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    out.put(
        {
            "documents_per_second": round(len(texts) / seconds, 1),
            "documents_per_cpu_second": round(len(texts) / cpu, 1),
            "latency_ms_p50": round(float(np.percentile(latencies, 50)) * 1000, 1),
            "latency_ms_p95": round(float(np.percentile(latencies, 95)) * 1000, 1),
            "memory_mb": round(_memory_mb()),
            "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    )


def main() -> None:
    """Run the contenders one after the other and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wires", type=Path, required=True)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--rival-count", type=int, default=64, help="documents for the slow rivals")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", choices=[*CONTENDERS], action="append")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    texts = load_wires(args.wires, args.count)
    context = multiprocessing.get_context("spawn")
    results = {}
    for name in args.only or CONTENDERS:
        mine = texts if name == "ours" else texts[:: max(1, len(texts) // args.rival_count)]
        out = context.Queue()
        process = context.Process(target=_measure, args=(name, args.threads, mine, 32 if name == "ours" else 8, out))
        process.start()
        while process.is_alive() and out.empty():
            time.sleep(0.2)
        if out.empty():
            print(f"{name}: could not run (the rivals need the `train` extra)", file=sys.stderr)
            continue
        results[name] = out.get()
        process.join()
    if args.json:
        print(json.dumps(results, indent=1))
        return
    characters = sum(len(t) + len(b) for t, b in texts) / len(texts)
    print(f"{len(texts)} wires, {characters:.0f} characters each, {args.threads} threads")
    print(f"{'':<32}{'docs/s':>9}{'docs/cpu-s':>12}{'p50 ms':>9}{'p95 ms':>9}{'MB':>7}")
    for name, r in results.items():
        print(
            f"{name:<32}{r['documents_per_second']:>9}{r['documents_per_cpu_second']:>12}{r['latency_ms_p50']:>9}"
            f"{r['latency_ms_p95']:>9}{r['memory_mb']:>7}"
        )


if __name__ == "__main__":
    main()
