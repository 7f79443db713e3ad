"""What the model has to beat: word lists, TF-IDF and frozen embeddings, fitted on each set's own training texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from models.evaluate.sets import EvaluationSet, label_of
from models.themes import Taxonomy, built_in
from models.train.examples import Example
from models.user_themes import with_name

POSITIVE_WORDS = re.compile(
    "增长|上涨|涨停|大涨|走强|新高|超预期|扭亏|盈利|中标|增持|回购|上调|买入|利好|突破|获批|签订|合作|提升|看好|反弹|拉升|翻倍|预增|"
    "大增|加仓|牛|起飞|强势|红|满仓|发财|恢复|改善|景气|领涨|分红|奖励|成功|首个|领先"
)
NEGATIVE_WORDS = re.compile(
    "下降|下跌|跌停|大跌|走弱|新低|不及预期|亏损|减持|处罚|立案|调查|下调|卖出|利空|违规|诉讼|违约|风险|退市|警示|冻结|终止|下滑|"
    "大降|减仓|熊|垃圾|套牢|割肉|崩|绿|骗|爆雷|失败|暴跌|裁员|召回|事故|承压|放缓|预亏|问询"
)
TRAIN_LIMIT = 8000
Questions = list[tuple[str, Any]]  # text, answer


def questions(item: EvaluationSet, examples: Sequence[Example]) -> Questions:
    """(text, answer) of every question, in the order of `predict.answers`. A company's name opens its text."""
    made: Questions = []
    for e in examples:
        text = f"{e.title} {e.body}".strip()
        if item.task == "themes":
            made.append((text, [bool(e.themes.get(k)) for k in range(len(item.classes))]))
        elif item.task == "tone" and e.tone:
            made.append((text, label_of(e.tone.allowed)))
        elif item.task == "toward":
            for target in e.targets:
                if target.tone and target.spans:
                    field, start, end = target.spans[0]
                    source = e.title if field == "title" else e.body
                    near = source[max(0, start - 40) : end + 40]
                    made.append((f"{source[start:end]} {near}", label_of(target.tone.allowed)))
    return made


def lexicon(item: EvaluationSet) -> np.ndarray:
    """Cues for themes, a user's own theme's name among them; counted words for tone."""
    if item.task == "themes":
        taxonomy = Taxonomy([with_name(theme) for theme in item.own]) if item.own else built_in()
        rows = []
        for text, _ in questions(item, item.test):
            given = {cue.theme for cue in taxonomy.find(text)}
            rows.append([k in given for k in range(len(item.classes))])
        return np.array(rows)
    guesses = []
    for text, _ in questions(item, item.test):
        score = len(POSITIVE_WORDS.findall(text)) - len(NEGATIVE_WORDS.findall(text))
        label = "positive" if score > 0 else "negative" if score < 0 else "neutral"
        if label not in item.classes:
            label = "other" if "other" in item.classes else "positive"
        guesses.append(label)
    return np.array(guesses)


def _fitted(train: Any, answers: Sequence[Any], test: Any, make: Callable[[], Any]) -> np.ndarray:
    if isinstance(answers[0], list):
        from sklearn.multiclass import OneVsRestClassifier

        return np.asarray(OneVsRestClassifier(make()).fit(train, np.array(answers)).predict(test)).astype(bool)
    return np.asarray(make().fit(train, np.array(answers)).predict(test))


def _pool(item: EvaluationSet) -> Questions:
    pool = [q for q in questions(item, item.train) if item.task == "themes" or q[1] in item.classes]
    step = max(1, len(pool) // TRAIN_LIMIT)
    return pool[::step]


def tfidf(item: EvaluationSet) -> np.ndarray:
    """Character 1- to 3-grams and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    pool = _pool(item)
    vectors = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, sublinear_tf=True, max_features=100_000)
    train = vectors.fit_transform([text for text, _ in pool])
    test = vectors.transform([text for text, _ in questions(item, item.test)])
    return _fitted(
        train, [a for _, a in pool], test, lambda: LogisticRegression(max_iter=300, C=10, class_weight="balanced")
    )


def frozen(item: EvaluationSet, embed: Callable[[Sequence[str]], np.ndarray]) -> np.ndarray:
    """The encoder's embedding, not fine-tuned for the set, and logistic regression."""
    from sklearn.linear_model import LogisticRegression

    pool = _pool(item)[: TRAIN_LIMIT // 2]
    train, test = embed([text for text, _ in pool]), embed([text for text, _ in questions(item, item.test)])
    return _fitted(
        train, [a for _, a in pool], test, lambda: LogisticRegression(max_iter=300, C=10, class_weight="balanced")
    )
