"""AdamW for the training loop: BERT's two groups of parameters, or four, each stored as one flat tensor.

A small encoder has hundreds of parameters of a few kilobytes. Clipping, stepping and clearing them one by one takes a
tenth of a training step; on a few long vectors it takes almost no time.
"""

import torch
from torch import nn

ENCODER = "backbone.encoder."
"""Beginning of the names of pretrained parameters; all others are trained from scratch."""


def make_optimizer(
    model: nn.Module, learning_rate: float, weight_decay: float, head_factor: float = 1.0
) -> torch.optim.AdamW:
    """AdamW on the parameters that require gradients; no weight decay on biases and on the (1-d) weights of norms.

    The learning rate of parameters outside the encoder is `head_factor` times that of the encoder.

    These parameters and their gradients become views into one tensor per group, so move the model to its device before.
    A parameter that a step does not reach has a gradient of zero instead of None. `update` clears the gradients.
    """
    kinds: dict[tuple[float, bool], list[nn.Parameter]] = {
        (factor, is_plain): [] for factor in (1.0, head_factor) for is_plain in (False, True)
    }
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            factor = 1.0 if name.startswith(ENCODER) else head_factor
            kinds[factor, name.endswith("bias") or parameter.dim() == 1].append(parameter)
    groups = [
        {"params": [_flatten(parameters)], "weight_decay": 0.0 if is_plain else weight_decay, "factor": factor}
        for (factor, is_plain), parameters in kinds.items()
        if parameters
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def update(optimizer: torch.optim.AdamW, learning_rate: float, clip: float) -> None:
    """One optimizer step; gradients are clipped to the norm `clip` before it and set to zero after it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["factor"]
    nn.utils.clip_grad_norm_([flat for group in optimizer.param_groups for flat in group["params"]], clip)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def _flatten(parameters: list[nn.Parameter]) -> nn.Parameter:
    """One tensor with the values of all parameters, which become views into it, as do their gradients."""
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    sizes = [parameter.numel() for parameter in parameters]
    for parameter, value, gradient in zip(parameters, flat.detach().split(sizes), flat.grad.split(sizes), strict=True):
        parameter.data, parameter.grad = value.view_as(parameter), gradient.view_as(parameter)
    return flat
