"""AdamW for the training loop: BERT's two groups of parameters, each stored as one flat tensor.

A small encoder has hundreds of parameters of a few kilobytes. Clipping, stepping and clearing them one by one takes a
tenth of a training step; on two long vectors it takes almost no time.
"""

import torch
from torch import nn


def make_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW on the parameters that require gradients; no weight decay on biases and on the (1-d) weights of norms.

    These parameters and their gradients become views into one tensor per group, so move the model to its device before.
    A parameter that a step does not reach has a gradient of zero instead of None. `update` clears the gradients.
    """
    learning = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    plain = [name for name, parameter in learning.items() if name.endswith("bias") or parameter.dim() == 1]
    decayed = [name for name in learning if name not in plain]
    groups = [
        {"params": [_flatten([learning[name] for name in names])], "weight_decay": decay}
        for names, decay in ((decayed, weight_decay), (plain, 0.0))
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.999), eps=1e-8, fused=True)


def update(optimizer: torch.optim.AdamW, learning_rate: float, clip: float) -> None:
    """One optimizer step; gradients are clipped to the norm `clip` before it and set to zero after it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
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
