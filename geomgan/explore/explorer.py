"""What ``geomgan.explore`` returns: in a notebook its widget, anywhere a page to serve."""

from __future__ import annotations

import base64
import contextlib
import html
from collections.abc import Iterable
from typing import Any

import numpy as np

from geomgan.directions import Moves
from geomgan.distances.distance import Distance
from geomgan.explore.axes import metric_axis, spectrum_at
from geomgan.explore.frames import RATE, frame
from geomgan.explore.serve import serving
from geomgan.explore.subject import SLIDERS, Subject, subject
from geomgan.generators import Generator

STATIC_AXES, STATIC_FRAMES = 3, 7  # of a notebook that shows no widgets


def explore(
    G: Generator,
    D: Distance,
    z: Any,
    directions: Moves | Iterable[Moves] = (),
    *,
    sliders: int = SLIDERS,
    rate: int = RATE,
) -> Explorer:
    """Move a code by hand, in steps of equal visible change.

    A slider's unit is distance: ``s(t) = Σ d(x_i, x_{i+1})`` along its path, measured from the code at hand; until that
    is done, ``s = √λ t``, which the metric predicts. The part of a track within which the distance stays within 10 % of
    the prediction, the trust radius, is marked. Axes of the metric are picked from its spectrum.

    ::

        gg.explore(G, D, z)                    # the last line of a notebook's cell: a widget
        gg.explore(G, D, z, found).serve()     # from a script: a page on loopback; also `geomgan explore MODEL`

    Args:
        G: the generator, of images ``(H, W, 1)`` or ``(H, W, 3)``, or of audio ``(T, 1)`` or ``(T, 2)``.
        D: the squared distance.
        z: the code to start from, ``(d,)``.
        directions: of any method: a direction, several, or a ``DirectionSet``; each gets a slider.
        sliders: axes of the metric that have one at first.
        rate: of audio, in hertz.

    Returns:
        What a notebook shows as a widget, with ``geomgan[explore]``; ``serve`` opens it as a page.

    Raises:
        TypeError, ValueError: an argument does not fit.
        OptionError: samples are neither images nor audio.
    """
    return Explorer(subject(G, D, z, directions, sliders, rate))


class Explorer:
    """A model, a distance and a code, ready to be explored; see :func:`explore`."""

    def __init__(self, of: Subject):
        self._subject = of
        self._widget: Any = None

    def __repr__(self) -> str:
        return f"Explorer({self._subject.G.name} under {self._subject.D.name}; .serve() opens it as a page)"

    def serve(self, *, host: str = "127.0.0.1", port: int | None = None) -> None:
        """Serve the page on loopback until Ctrl-C, and print its address, which holds a token: keep it to yourself.

        Args:
            host: ``127.0.0.1``, ``localhost`` or ``::1``.
            port: None takes 8250 or the next that is free; 0 any that is.

        Raises:
            ImportError: ``geomgan[explore]`` is not installed.
            OptionError: the host is none of this machine's own, or the port is in use.
        """
        import threading

        with serving(self._subject, host, port) as address:
            print(f"Open {address}\nCtrl-C ends it.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()

    @property
    def widget(self) -> Any:
        """The widget of a notebook.

        Raises:
            ImportError: ``geomgan[explore]`` is not installed.
        """
        if self._widget is None:
            from geomgan.explore.widget import widget

            self._widget = widget(self._subject)
        return self._widget

    def _ipython_display_(self) -> None:
        """The widget, and below it pictures, which the widget's style hides: they are seen where no widget lives."""
        from IPython.display import display

        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        pictures = {"text/html": data.pop("text/html"), "text/plain": ""}
        display(data, metadata=metadata, raw=True)
        display(pictures, raw=True)

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """All that a notebook may choose from: the widget, pictures, a line of text."""
        bundle = {"text/plain": repr(self), "text/html": self.static()}
        try:
            more: Any = self.widget._repr_mimebundle_()
        except ImportError:
            return bundle
        data, metadata = more if isinstance(more, tuple) else (more or {}, {})
        return {**bundle, **{kind: x for kind, x in data.items() if kind != "text/plain"}}, metadata

    def static(self) -> str:
        """Pictures along the first axes as HTML, for where no widget can be shown."""
        of = self._subject
        spectrum = spectrum_at(of.G, of.D, of.code.astype(of.G.dtype))
        rows = []
        for rank in range(1, min(STATIC_AXES, len(spectrum.values)) + 1):
            axis = metric_axis(of.G, spectrum, rank, rank, of.radius)
            codes = np.asarray(axis.move.path(of.code)(np.linspace(*axis.ends, STATIC_FRAMES)))
            shown = (frame(of.G, z, of.bounds, of.stride, of.rate).png for z in codes)
            images = "".join(
                f'<img alt="" style="width:{100 // STATIC_FRAMES}%;max-width:128px;image-rendering:pixelated" '
                f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
                for png in shown
            )
            label = f"axis {rank}, eigenvalue {spectrum.values[rank - 1]:.3g}"
            rows.append(f'<figure style="margin:.4em 0"><figcaption>{label}</figcaption>{images}</figure>')
        how = (
            "Sliders need a notebook that shows widgets (<code>pip install 'geomgan[explore]'</code>, also where the "
            "notebook's server runs, and reload the page), or <code>.serve()</code>, which opens a page of its own."
        )
        title = html.escape(f"{of.G.name} under {of.D.name}.")
        return f'<div class="gx-static"><p>{title} {how}</p>{"".join(rows)}</div>'
