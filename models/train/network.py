"""The network in PyTorch: a BERT encoder and small heads on one pass over the text.

The heads are re-implemented in numpy by `models.heads`; parameter names and shapes are the contract between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel


@dataclass
class Output:
    """Raw scores; B texts, T tokens, M targets, K themes, D width."""

    style: Tensor  # B, 2
    tone: Tensor  # B, 2 styles, 3
    themes: Tensor  # B, K
    embedding: Tensor  # B, D
    target: Tensor  # M, 3
    company: Tensor  # M


def load_encoder(base: Path, layers: int) -> nn.Module:
    """`base` with `layers` of its layers, evenly spaced, the first and last among them."""
    model = AutoModel.from_pretrained(base, add_pooling_layer=False, dtype=torch.float32)
    have = model.config.num_hidden_layers
    if layers < have:
        kept = [round(i * (have - 1) / (layers - 1)) for i in range(layers)] if layers > 1 else [0]
        model.encoder.layer = nn.ModuleList([model.encoder.layer[i] for i in kept])
        model.config.num_hidden_layers = layers
    return model


class Network(nn.Module):
    """Encoder with heads for style, tone, tone toward a target, company or not, themes, and an embedding."""

    def __init__(self, encoder: nn.Module, themes: int) -> None:
        super().__init__()
        self.encoder = encoder
        d = encoder.config.hidden_size
        self.drop = nn.Dropout(0.1)
        self.style = nn.Linear(2 * d, 2)
        self.tone_in, self.tone_out = nn.Linear(2 * d, d), nn.Linear(d, 6)
        self.theme_query = nn.Parameter(torch.randn(themes, d) * 0.05)
        self.theme_value = nn.Parameter(torch.randn(themes, d) * 0.05)
        self.theme_mean = nn.Linear(d, themes)
        self.embed = nn.Linear(d, d)
        nn.init.eye_(self.embed.weight)
        self.target_in, self.target_out = nn.Linear(3 * d, d), nn.Linear(d, 3)
        self.company = nn.Linear(2 * d, 1)

    def forward(self, ids: Tensor, mask: Tensor, owner: Tensor, places: Tensor, clauses: Tensor) -> Output:
        """ids, mask: B,T. owner: M, the text of each target. places, clauses: M,T token weights that sum to 1."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.float()
        mean = (hidden * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
        both = self.drop(torch.cat([hidden[:, 0], mean], -1))
        attention = (hidden @ self.theme_query.T).masked_fill(mask[..., None] == 0, -1e4).softmax(1)  # B,T,K
        seen = torch.einsum("btk,btd->bkd", attention, hidden)
        themes = (self.drop(seen) * self.theme_value).sum(-1) + self.theme_mean(self.drop(mean))
        if len(owner):
            own = hidden[owner]
            place = torch.einsum("mt,mtd->md", places, own)
            clause = torch.einsum("mt,mtd->md", clauses, own)
            features = self.drop(torch.cat([place, clause, mean[owner]], -1))
            target = self.target_out(self.drop(nn.functional.gelu(self.target_in(features))))
            company = self.company(features[:, : 2 * mean.shape[1]])[:, 0]
        else:
            target, company = hidden.new_zeros(0, 3), hidden.new_zeros(0)
        tone = self.tone_out(self.drop(torch.tanh(self.tone_in(both)))).view(-1, 2, 3)
        return Output(self.style(both), tone, themes, self.embed(mean), target, company)


def allowed_loss(logits: Tensor, allowed: Tensor, among: Tensor, smoothing: float = 0.05) -> Tensor:
    """-log P(allowed | among) for bit sets over three classes, with a little of the loss spread over `among`."""
    bits = torch.tensor([1, 2, 4])
    yes, pool = (allowed[:, None] & bits) > 0, (among[:, None] & bits) > 0
    log_p = logits.masked_fill(~pool, -1e4).log_softmax(-1)
    hit = torch.logsumexp(log_p.masked_fill(~yes, -1e4), -1)
    spread = (log_p * pool).sum(-1) / pool.sum(-1)
    return -(1 - smoothing) * hit - smoothing * spread
