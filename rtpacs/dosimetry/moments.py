"""Means of products of coordinates along straight edges, the parts of Green's theorem."""

from typing import NamedTuple

from rtpacs.dosimetry.values import FloatArray


class EdgeMeans(NamedTuple):
    """Means along n edges: of u, v, u², uv, v², u³, u²v and uv²."""

    u: FloatArray
    v: FloatArray
    uu: FloatArray
    uv: FloatArray
    vv: FloatArray
    uuu: FloatArray
    uuv: FloatArray
    uvv: FloatArray


def edge_means(u0: FloatArray, v0: FloatArray, u1: FloatArray, v1: FloatArray) -> EdgeMeans:
    """Return the means along edges from (u0, v0) to (u1, v1), exact polynomials of their ends."""
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    # A product is that of the middle and that of the deviations, whose square has the mean 1/3.
    du, dv = (u1 - u0) / 2, (v1 - v0) / 2
    square_u, square_v, both, third = u * u, v * v, u * v, du * dv / 3
    third_u, third_v = du * du / 3, dv * dv / 3
    return EdgeMeans(
        u=u,
        v=v,
        uu=square_u + third_u,
        uv=both + third,
        vv=square_v + third_v,
        uuu=u * (square_u + 3 * third_u),
        uuv=v * (square_u + third_u) + 2 * u * third,
        uvv=u * (square_v + third_v) + 2 * v * third,
    )
