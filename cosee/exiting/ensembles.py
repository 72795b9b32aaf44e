"""Ensembles of exits: answers and scores that use all exits so far instead of the last one alone.

Every function maps the logits of the first m exits to one result per exit, which depends on this exit and those before
it alone. So an ensemble costs nothing while layers are executed: a running sum is all that an example carries along.

Written for torch tensors and NumPy arrays alike, through the array API.
"""

from array_api_compat import array_namespace

from cosee.exiting.signals import Array, log_softmax, softmax_score


def geometric_mean(logits: Array) -> Array:
    """Running mean over exits of log-probabilities: logits [N, m, C] -> scores of the classes [N, m, C].

    Up to a constant per exit they are the logarithm of the geometric mean of the probabilities, which Zero Time Waste
    (Wójcik et al. 2021) weights by exit; here every exit has the same weight, as nothing is fitted.
    """
    xp = array_namespace(logits)
    return xp.cumulative_sum(log_softmax(logits), axis=1) / _counts(logits)[:, None]


def arithmetic_mean(logits: Array) -> Array:
    """Logarithm of the running mean over exits of probabilities: logits [N, m, C] -> [N, m, C]."""
    return _log(_mean_probabilities(logits))


def votes(logits: Array) -> Array:
    """Number of exits up to each that predict each class: logits [N, m, C] -> [N, m, C]."""
    xp = array_namespace(logits)
    classes = xp.arange(logits.shape[-1], device=logits.device)
    predicted = xp.argmax(logits, axis=-1)
    return xp.cumulative_sum(xp.astype(predicted[..., None] == classes, logits.dtype), axis=1)


def majority(logits: Array) -> Array:
    """Logarithm of the share of the votes, where the mean probabilities are one vote more: [N, m, C] -> [N, m, C].

    The added vote decides between classes with equally many (Sun et al. 2021 let the exits vote). It changes no
    majority, as less than one vote separates two mean probabilities.
    """
    return _log((votes(logits) + _mean_probabilities(logits)) / (_counts(logits)[:, None] + 1))


def most_votes(logits: Array, scores: Array | None = None) -> Array:
    """Number of votes of the leading class: logits [N, m, C] -> exit scores [N, m]."""
    return array_namespace(logits).max(votes(logits), axis=-1)


def agreed_confidence(logits: Array, scores: Array | None = None) -> Array:
    """Sum of m times the confidence of exit m over the exits, up to each, that agree in a row: [N, m, C] -> [N, m].

    The score of BEEM (Bajpai & Hanawal 2025) with weights that grow with the cost of an exit: the confidence of an exit
    is its highest probability, its weight the number of layers up to it, and the sum starts anew where the prediction
    changes. The answer is the class that these exits agree on, which is the last exit's own.
    """
    xp = array_namespace(logits)
    predicted = xp.argmax(logits, axis=-1)
    sums = softmax_score(logits) * _counts(logits)
    for m in range(1, sums.shape[1]):
        sums[:, m] += (predicted[:, m] == predicted[:, m - 1]) * sums[:, m - 1]
    return sums


def _mean_probabilities(logits: Array) -> Array:
    """Running mean over exits of probabilities [N, m, C]."""
    xp = array_namespace(logits)
    return xp.cumulative_sum(xp.exp(log_softmax(logits)), axis=1) / _counts(logits)[:, None]


def _counts(logits: Array) -> Array:
    """Number of exits up to each [m]."""
    xp = array_namespace(logits)
    return xp.arange(1, logits.shape[1] + 1, dtype=logits.dtype, device=logits.device)


def _log(shares: Array) -> Array:
    """Logarithm of shares in 0..1, finite where a share is too small for its type."""
    xp = array_namespace(shares)
    return xp.log(xp.clip(shares, min=xp.finfo(shares.dtype).tiny))
