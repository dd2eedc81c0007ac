"""A linear softmax classifier, trained by scikit-learn's ``SGDClassifier.partial_fit``."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import SGDClassifier
from threadpoolctl import ThreadpoolController

from teachenv.envs.datagen.items import Format, Items, Prediction
from teachenv.errors import UserError
from teachenv.protocols import State

__all__ = ["Sgd"]


class Sgd:
    """Logistic regression, one class against the others, on "features".

    Args:
        format: Items with a field "features" and classes as answers.
        seed: Not needed: it starts at zero.
        alpha: Strength of the L2 penalty.

    Raises:
        UserError: for a format it cannot learn.
    """

    def __init__(self, format: Format, *, seed: int, alpha: float = 1e-3) -> None:
        if format.answer != "class" or "features" not in format.fields:
            raise UserError("student sgd: expected items with features and classes as answers")
        (n_features,) = format.fields["features"]
        self._alpha = alpha
        self._coef = np.zeros((format.n_answers, n_features))
        self._intercept = np.zeros(format.n_answers)
        self._seen = 1.0
        self.gradient_steps = 0
        """Gradient steps, one a sample, since this object was made."""

    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Learn; see :meth:`students.data.base.DataStudent.train`.

        Soft labels become one weighted sample per class, as many times heavier as there are
        classes: the penalty is applied per sample. All epochs are one call, each in an
        order of its own: most of a call on few samples is overhead.
        """
        features, labels = items.inputs["features"].astype(np.float64), items.answers
        if soft is not None:
            n, n_classes = soft.shape
            features = np.repeat(features, n_classes, axis=0)
            labels = np.tile(np.arange(n_classes, dtype=np.int16), n)
            share = n_classes * soft.reshape(-1)
            weights = share if weights is None else share * np.repeat(weights, n_classes)
        rng = np.random.default_rng(seed)
        order = np.concatenate([rng.permutation(len(labels)) for _ in range(epochs)])
        model = self._model(seed)
        with _threads().limit(limits=1):
            model.partial_fit(
                features[order],
                labels[order],
                sample_weight=None if weights is None else weights[order],
            )
        self.gradient_steps += len(order)
        self._coef, self._intercept, self._seen = model.coef_, model.intercept_, model.t_
        if len(self._coef) == 1:  # of two classes: of the second against the first
            self._coef = np.vstack([-self._coef, self._coef])
            self._intercept = np.concatenate([-self._intercept, self._intercept])

    def predict(self, items: Items) -> Prediction:
        """Answer the items: the one-against-others probabilities, normalised."""
        features = items.inputs["features"].astype(np.float64)
        with _threads().limit(limits=1):
            logits = features @ self._coef.T + self._intercept
        each = expit(logits)
        probabilities = each / each.sum(axis=1, keepdims=True)
        answers = probabilities.argmax(axis=1).astype(np.int16)
        rows = np.arange(len(items))
        given = np.maximum(probabilities[rows, items.answers], 1e-12)
        return Prediction(
            answers,
            probabilities[rows, answers].astype(np.float32),
            -np.log(given).astype(np.float32),
            probabilities.astype(np.float32),
        )

    def _model(self, seed: int) -> SGDClassifier:
        """Return scikit-learn's model in the present state; it takes samples as they come.

        The seed changes nothing, but keeps it from drawing on NumPy's global generator.
        """
        model: Any = SGDClassifier(
            loss="log_loss", alpha=self._alpha, shuffle=False, random_state=seed
        )
        model.classes_ = np.arange(len(self._intercept))
        model.n_features_in_ = self._coef.shape[1]
        kept = slice(1 if len(self._coef) == 2 else 0, None)
        model.coef_, model.intercept_ = self._coef[kept].copy(), self._intercept[kept].copy()
        model.t_ = self._seen
        return model

    def state_dict(self) -> State:
        """Return the coefficients and the learning rate's clock."""
        return {"coef": self._coef.copy(), "intercept": self._intercept.copy(), "seen": self._seen}

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
        self._coef, self._intercept = state["coef"].copy(), state["intercept"].copy()
        self._seen = float(state["seen"])


@functools.cache
def _threads() -> ThreadpoolController:
    """Return what limits threads; finding the libraries takes longer than a lesson."""
    return ThreadpoolController()
