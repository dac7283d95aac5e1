"""The LSTM layer: one explicit loop for the dense, the factored and the 8-bit network.

    pre_t = W_x x_t + W_h p_{t-1} + b        gates i, f, g, o (PyTorch's order)
    c_t   = f c_{t-1} + i g;   h_t = o tanh(c_t);   p_t = P h_t   (p = h when there is no P)

The gradient is written out: the loop runs only what must be sequential, and every weight gradient is
one large product at the end, about twice as fast on a CPU as torch.nn.LSTM. With precision "bf16" the
products take bfloat16 (twice as fast again where the processor has it); sums and states stay float32.
A float layer in bfloat16 goes to oneDNN's own LSTM where PyTorch has it with a gradient: dense three times as fast
as the loop for 16 examples a batch, factored one and a half times, and as near to float32 (tests/test_lstm.py).

Quantised activations (8 bits, zero point 128): `quantum_p` and `quantum_h` are the scales of p and h;
rounding half to even, saturation to [-128, 127]; the gradient passes straight through where nothing
saturates.
"""

from typing import Any

import torch
from torch import Tensor

ONEDNN = torch.backends.mkldnn.is_available() and int(torch.__version__.split(".")[0]) >= 2
"""Earlier versions have no gradient for its LSTM in bfloat16."""
FACTORED_EXAMPLES = 32
"""Above it the loop is as fast: its factored product is a third of the dense one."""


def fake_quantise(x: Tensor, scale: float) -> Tensor:
    """What an 8-bit activation of this scale stands for."""
    return torch.clamp(torch.round(x / scale), -128, 127) * scale


class LstmFunction(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        x: Tensor,  # [T, B, I]
        w_x: Tensor,  # [4N, I]
        w_h: Tensor,  # [4N, R]
        b: Tensor,  # [4N]
        w_p: Tensor | None,  # [R, N]
        bf16: bool,
        quantum_p: float,
        quantum_h: float,
    ) -> Tensor:  # [T, B, R]
        kind = torch.bfloat16 if bf16 else torch.float32
        steps, batch, _ = x.shape
        n = w_x.shape[0] // 4
        w_ht = w_h.to(kind).t().contiguous()
        w_pt = None if w_p is None else w_p.to(kind).t().contiguous()
        rank = w_ht.shape[0]
        xk = x.to(kind)
        inputs = torch.addmm(b.to(kind), xk.reshape(-1, x.shape[2]), w_x.to(kind).t()).view(steps, batch, -1)
        gates = torch.empty(steps, batch, 4 * n, device=x.device) if bf16 else inputs
        cells = torch.empty(steps, batch, n, device=x.device)
        squashed = torch.empty(steps, batch, n, device=x.device)  # tanh(c)
        hidden = torch.empty(steps, batch, n, dtype=kind, device=x.device)
        outputs = torch.empty(steps, batch, rank, device=x.device) if w_pt is not None or quantum_p else None
        opened = gates[:, :, : 2 * n].unbind(0)
        i, f, g, o = (part.unbind(0) for part in gates.split(n, 2))
        c = torch.zeros(batch, n, device=x.device)
        p = torch.zeros(batch, rank, dtype=kind, device=x.device)
        for t in range(steps):
            if bf16:
                gates[t].copy_(torch.addmm(inputs[t], p, w_ht))
            else:
                gates[t].addmm_(p, w_ht)
            opened[t].sigmoid_()
            g[t].tanh_()
            o[t].sigmoid_()
            c = torch.mul(f[t], c, out=cells[t]).addcmul_(i[t], g[t])
            torch.tanh(c, out=squashed[t])
            h = hidden[t]
            if bf16 or quantum_h:
                exact = o[t] * squashed[t]
                h.copy_(fake_quantise(exact, quantum_h) if quantum_h else exact)
            else:
                torch.mul(o[t], squashed[t], out=h)
            if outputs is None:
                p = h
                continue
            out = outputs[t].copy_(h if w_pt is None else torch.mm(h, w_pt))
            p = (fake_quantise(out, quantum_p) if quantum_p else out).to(kind)
        result = hidden.float() if outputs is None else outputs
        sent = fake_quantise(result, quantum_p) if quantum_p else result
        ctx.save_for_backward(xk, w_x, w_h, w_p, gates, cells, squashed, hidden, result, sent)
        ctx.kind, ctx.quantum_p = kind, quantum_p
        return sent

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        xk, w_x, w_h, w_p, gates, cells, squashed, hidden, result, sent = ctx.saved_tensors
        kind = ctx.kind
        steps, batch, n = cells.shape
        w_hk = w_h.to(kind)
        w_pk = None if w_p is None else w_p.to(kind)
        inside = None
        if ctx.quantum_p:
            inside = (result.abs() <= 127.5 * ctx.quantum_p).float()
        i, f, g, o = gates.split(n, 2)
        # What a gate's input changes of c (i, f, g) and of h (o), and what c changes of h: of all steps at once.
        slopes = torch.empty_like(gates)
        torch.mul(g, i * (1 - i), out=slopes[:, :, :n])
        slopes[0, :, n : 2 * n] = 0
        torch.mul(cells[:-1], (f * (1 - f))[1:], out=slopes[1:, :, n : 2 * n])
        torch.mul(i, 1 - g * g, out=slopes[:, :, 2 * n : 3 * n])
        torch.mul(squashed, o * (1 - o), out=slopes[:, :, 3 * n :])
        through = o * (1 - squashed * squashed)
        of_cells, of_output = slopes[:, :, : 3 * n].view(steps, batch, 3, n), slopes[:, :, 3 * n :]
        pre = torch.empty(steps, batch, 4 * n, dtype=kind, device=cells.device)
        to_cells, to_output = pre[:, :, : 3 * n].view(steps, batch, 3, n), pre[:, :, 3 * n :]
        out_grads = torch.empty_like(sent, dtype=kind) if w_p is not None else None
        d_c = torch.zeros_like(cells[0])
        d_p = grad[steps - 1]
        for t in range(steps - 1, -1, -1):
            if inside is not None:
                d_p = d_p * inside[t]
            d_h = d_p
            if w_pk is not None and out_grads is not None:
                d_h = torch.mm(out_grads[t].copy_(d_p), w_pk).float()
            d_c.addcmul_(d_h, through[t])
            torch.mul(d_c.unsqueeze(1), of_cells[t], out=to_cells[t])
            torch.mul(d_h, of_output[t], out=to_output[t])
            d_c.mul_(f[t])
            if t > 0:
                d_p = torch.addmm(grad[t - 1], pre[t], w_hk) if kind == torch.float32 else grad[t - 1] + pre[t] @ w_hk
        flat = pre.view(-1, 4 * n)
        d_x = torch.mm(flat, w_x.to(kind)).float().view(steps, batch, -1) if ctx.needs_input_grad[0] else None
        d_wx = torch.mm(flat.t(), xk.reshape(-1, xk.shape[2])).float()
        earlier = sent[:-1].reshape(-1, sent.shape[2]).to(kind)
        d_wh = torch.mm(flat[batch:].t(), earlier).float()
        d_b = flat.float().sum(0)
        d_wp = None
        if out_grads is not None:
            d_wp = torch.mm(out_grads.view(-1, out_grads.shape[2]).t(), hidden.view(-1, n)).float()
        return d_x, d_wx, d_wh, d_b, d_wp, None, None, None


def library_lstm(x: Tensor, weights: list[Tensor]) -> Tensor:
    """One layer of PyTorch's own; weights: of the input, of the state, two biases, and a projection if there is one."""
    out, cells = weights[1].shape[1], weights[0].shape[0] // 4
    zero = x.new_zeros(1, x.shape[1], out), x.new_zeros(1, x.shape[1], cells)
    result: Tensor = torch._VF.lstm(x, zero, weights, True, 1, 0.0, True, False, False)[0]  # type: ignore
    return result


def lstm(
    x: Tensor,
    w_x: Tensor,
    w_h: Tensor,
    b: Tensor,
    w_p: Tensor | None = None,
    *,
    bf16: bool = False,
    quantum_p: float = 0.0,
    quantum_h: float = 0.0,
) -> Tensor:
    """[T, B, I] -> [T, B, R], state 0 at the start. On a GPU the float form is cuDNN's."""
    plain = not quantum_p and not quantum_h
    if x.is_cuda and plain:
        return library_lstm(x, [w_x, w_h, b, torch.zeros_like(b)] + ([] if w_p is None else [w_p]))
    if bf16 and plain and ONEDNN and (w_p is None or x.shape[1] <= FACTORED_EXAMPLES):
        # W_h p = (W_h P) h: a factored layer runs as the dense one that it stands for.
        back = w_h if w_p is None else w_h @ w_p
        hidden = library_lstm(x.to(torch.bfloat16), [w.to(torch.bfloat16) for w in (w_x, back, b, torch.zeros_like(b))])
        return hidden.float() if w_p is None else (hidden @ w_p.to(torch.bfloat16).t()).float()
    result: Tensor = LstmFunction.apply(x, w_x, w_h, b, w_p, bf16, quantum_p, quantum_h)
    return result
