"""Any classifier of scikit-learn, fitted anew to all it was taught."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import has_fit_parameter

from students.data.classifier import Classifier, n_features_of, one_core
from teachenv.envs.datagen.items import Format, Items
from teachenv.errors import UserError
from teachenv.protocols import State

__all__ = ["Scikit"]


class Scikit(Classifier):
    """A classifier of scikit-learn with ``predict_proba``, on "features".

    It keeps all it was taught and is fitted to that when it is asked, so that it forgets nothing,
    whatever the ``train_mode``; ``epochs`` mean nothing to it. A class it was never shown has
    probability 0.

    Args:
        format: Items with a field "features" and classes as answers.
        seed: Not needed: it starts with nothing.
        model: Its place in scikit-learn, such as "neighbors.KNeighborsClassifier".
        args: Its arguments.

    Raises:
        UserError: for a format it cannot learn, a model that is none or gives no probabilities,
            or refused arguments.
    """

    state = ("features", "answers", "weights", "seed")

    def __init__(
        self,
        format: Format,
        *,
        seed: int,
        model: str = "naive_bayes.GaussianNB",
        args: Mapping[str, Any] | None = None,
    ) -> None:
        self.features = np.zeros((0, n_features_of(format, "scikit")), dtype=np.float32)
        self.answers = np.zeros(0, dtype=np.int16)
        self.weights = np.zeros(0, dtype=np.float32)
        self.seed = 0
        self._n_answers = format.n_answers
        self._model = _model(model, args or {})
        self._fitted: Any = None

    def train(
        self,
        items: Items,
        *,
        seed: int,
        epochs: int = 1,
        weights: NDArray[np.float32] | None = None,
        soft: NDArray[np.float32] | None = None,
    ) -> None:
        """Remember items; see :meth:`students.data.base.DataStudent.train`.

        Raises:
            ValueError: for ``soft`` labels; for ``weights`` of a model that takes none.
        """
        if soft is not None:
            raise ValueError("student scikit: soft labels cannot be fitted")
        if weights is None:
            weights = np.ones(len(items), dtype=np.float32)
        elif not has_fit_parameter(self._model, "sample_weight"):
            raise ValueError(f"student scikit: {self._model} takes no weights")
        self.features = np.concatenate([self.features, items.inputs["features"]])
        self.answers = np.concatenate([self.answers, items.answers])
        self.weights = np.concatenate([self.weights, weights])
        self.seed, self._fitted = seed, None

    def probabilities(self, items: Items) -> NDArray[np.floating[Any]]:
        """See :meth:`students.data.classifier.Classifier.probabilities`.

        Raises:
            UserError: if the model cannot be fitted to what it was taught, or so few samples.
        """
        known, shape = np.unique(self.answers), (len(items), self._n_answers)
        if len(known) == 0:
            return np.full(shape, 1.0 / self._n_answers)
        probabilities = np.zeros(shape)
        if len(known) == 1:
            probabilities[:, known] = 1.0
        else:
            try:
                with one_core():
                    probabilities[:, known] = self._fit().predict_proba(items.inputs["features"])
            except ValueError as error:
                raise UserError(f"student scikit: {self._model}: {error}") from None
        return probabilities

    def _fit(self) -> Any:
        if self._fitted is None:
            model = clone(self._model)
            if "random_state" in model.get_params():
                model.set_params(random_state=self.seed % 2**32)
            weighted = has_fit_parameter(model, "sample_weight")
            extra = {"sample_weight": self.weights} if weighted else {}
            self._fitted = model.fit(self.features, self.answers, **extra)
        return self._fitted

    def load_state_dict(self, state: State) -> None:
        """Become the student :meth:`state_dict` was taken from."""
        super().load_state_dict(state)
        self._fitted = None


def _model(place: str, args: Mapping[str, Any]) -> Any:
    """Return an unfitted model of scikit-learn, by its place in the package."""
    module, _, name = str(place).rpartition(".")
    try:
        cls = getattr(importlib.import_module(f"sklearn.{module}"), name)
        model = cls(**args) if issubclass(cls, ClassifierMixin) else None
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"student scikit: model {place!r}: {error}") from None
    if not hasattr(model, "predict_proba"):
        raise UserError(f"student scikit: {place!r} is no classifier that gives probabilities")
    return model
