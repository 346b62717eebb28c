"""CMA-ES in plain numpy, written from the papers' equations, one loop per sum: what ours is compared with."""

import numpy as np


def expected_norm(n):
    return np.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n**2))


def cholesky_cma(mean, sigma, noise, score, every):
    """The paper's, generation after generation of ``noise (g, λ, n)``; yields ``(codes, mean, sigma, A)``."""
    n, population = len(mean), noise.shape[1]
    mu = population // 2
    w = np.array([np.log(population / 2 + 0.5) - np.log(i) for i in range(1, mu + 1)])
    w = w / sum(w)
    mueff = 1 / sum(w**2)
    cc, cs, c1 = 4 / (n + 4), np.sqrt(mueff) / (np.sqrt(mueff) + np.sqrt(n)), 2 / (n + np.sqrt(2)) ** 2
    damps = 1 + cs + 2 * max(0, np.sqrt((mueff - 1) / (n + 1)) - 1)
    A, Ainv, ps, pc = np.eye(n), np.eye(n), np.zeros(n), np.zeros(n)
    for g, z in enumerate(noise, start=1):
        codes = np.stack([mean + sigma * (row @ A) for row in z])
        best = sorted(range(population), key=lambda i: score(codes[i]))[:mu]
        mean = sum(w[i] * codes[best[i]] for i in range(mu))
        zbar = sum(w[i] * z[best[i]] for i in range(mu))
        ps = (1 - cs) * ps + np.sqrt(cs * (2 - cs) * mueff) * zbar
        pc = (1 - cc) * pc + np.sqrt(cc * (2 - cc) * mueff) * (zbar @ A)
        sigma = sigma * np.exp(cs / damps * (np.linalg.norm(ps) / expected_norm(n) - 1))
        if g % every == 0:
            v = pc @ Ainv
            square = v @ v
            A = np.sqrt(1 - c1) * A + np.sqrt(1 - c1) / square * (np.sqrt(1 + square * c1 / (1 - c1)) - 1) * np.outer(
                v, pc
            )
            Ainv = np.linalg.inv(A)
        yield codes, mean, sigma, A


def cma(mean, sigma, noise, score, active=True):
    """Hansen's tutorial (2016), table 1 and figure 6, with pycma's ``c_σ``; yields ``(codes, mean, sigma, C)``."""
    n, population = len(mean), noise.shape[1]
    mu = population // 2
    raw = np.array([np.log((population + 1) / 2) - np.log(i) for i in range(1, population + 1)])
    mueff = sum(raw[:mu]) ** 2 / sum(raw[:mu] ** 2)
    negative = raw[raw < 0]
    mueff_negative = sum(negative) ** 2 / sum(negative**2)
    c1 = 2 / ((n + 1.3) ** 2 + mueff)
    cmu = min(1 - c1, 2 * (0.25 + mueff - 2 + 1 / mueff) / ((n + 2) ** 2 + 2 * mueff / 2))
    cc = (4 + mueff / n) / (n + 4 + 2 * mueff / n)
    cs = (mueff + 2) / (n + mueff + 3)
    ds = 1 + 2 * max(0, np.sqrt((mueff - 1) / (n + 1)) - 1) + cs
    scale = min(1 + c1 / cmu, 1 + 2 * mueff_negative / (mueff + 2), (1 - c1 - cmu) / (n * cmu))
    w = [x / sum(raw[raw > 0]) if x > 0 else active * scale * x / -sum(negative) for x in raw]
    gap = max(1, int(1 / (2 * n * (c1 + cmu))))
    C, B, D, ps, pc = np.eye(n), np.eye(n), np.ones(n), np.zeros(n), np.zeros(n)
    for g, z in enumerate(noise, start=1):
        y = np.stack([B @ (D * (B.T @ row)) for row in z])
        codes = mean + sigma * y
        order = sorted(range(population), key=lambda i: score(codes[i]))
        step = sum(w[i] * y[order[i]] for i in range(mu))
        mean = mean + sigma * step
        ps = (1 - cs) * ps + np.sqrt(cs * (2 - cs) * mueff) * (B @ ((B.T @ step) / D))
        sigma = sigma * np.exp(cs / ds * (np.linalg.norm(ps) / expected_norm(n) - 1))
        h = np.linalg.norm(ps) / np.sqrt(1 - (1 - cs) ** (2 * g)) < (1.4 + 2 / (n + 1)) * expected_norm(n)
        pc = (1 - cc) * pc + h * np.sqrt(cc * (2 - cc) * mueff) * step
        C = (1 + c1 * (1 - h) * cc * (2 - cc) - c1 - cmu * sum(w)) * C + c1 * np.outer(pc, pc)
        for i in range(population):
            step = y[order[i]]
            white = B @ ((B.T @ step) / D)
            C = C + cmu * w[i] * (1 if w[i] >= 0 else n / (white @ white)) * np.outer(step, step)
        if g % gap == 0:
            values, B = np.linalg.eigh(C)
            D = np.sqrt(values)
        yield codes, mean, sigma, C
