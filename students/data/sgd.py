"""A linear softmax classifier, trained by scikit-learn's ``SGDClassifier.partial_fit``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import SGDClassifier

from students.data.classifier import Classifier, n_features_of, one_core
from teachenv.envs.datagen.items import Format, Items

__all__ = ["Sgd"]


class Sgd(Classifier):
    """Logistic regression, one class against the others, on "features".

    Args:
        format: Items with a field "features" and classes as answers.
        seed: Not needed: it starts at zero.
        alpha: Strength of the L2 penalty.

    Raises:
        UserError: for a format it cannot learn.
    """

    state = ("coef", "intercept", "seen")

    def __init__(self, format: Format, *, seed: int, alpha: float = 1e-3) -> None:
        self._alpha = alpha
        self.coef = np.zeros((format.n_answers, n_features_of(format, "sgd")))
        self.intercept = np.zeros(format.n_answers)
        self.seen = 1.0
        """The learning rate's clock."""
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
        with one_core():
            model.partial_fit(
                features[order],
                labels[order],
                sample_weight=None if weights is None else weights[order],
            )
        self.gradient_steps += len(order)
        self.coef, self.intercept, self.seen = model.coef_, model.intercept_, model.t_
        if len(self.coef) == 1:  # of two classes: of the second against the first
            self.coef = np.vstack([-self.coef, self.coef])
            self.intercept = np.concatenate([-self.intercept, self.intercept])

    def probabilities(self, items: Items) -> NDArray[np.floating[Any]]:
        """Return the one-against-others probabilities, normalised."""
        features = items.inputs["features"].astype(np.float64)
        with one_core():
            logits = features @ self.coef.T + self.intercept
        each = expit(logits)
        normalised: NDArray[np.float64] = each / each.sum(axis=1, keepdims=True)
        return normalised

    def _model(self, seed: int) -> SGDClassifier:
        """Return scikit-learn's model in the present state; it takes samples as they come.

        The seed changes nothing, but keeps it from drawing on NumPy's global generator.
        """
        model: Any = SGDClassifier(
            loss="log_loss", alpha=self._alpha, shuffle=False, random_state=seed
        )
        model.classes_ = np.arange(len(self.intercept))
        model.n_features_in_ = self.coef.shape[1]
        kept = slice(1 if len(self.coef) == 2 else 0, None)
        model.coef_, model.intercept_ = self.coef[kept].copy(), self.intercept[kept].copy()
        model.t_ = self.seen
        return model
