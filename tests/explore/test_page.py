"""The page on loopback and the widget: who may ask, and what they get."""

import builtins
import socket
import time

import numpy as np
import pytest

import geomgan as gg
from geomgan.cli import main
from geomgan.errors import OptionError
from geomgan.explore.serve import PORT, bound_socket
from geomgan.explore.subject import subject
from tests.small_models import smooth_generator

EXTRA = "pip install 'geomgan[test]' to run this"


@pytest.fixture(scope="module")
def of():
    return subject(smooth_generator(), gg.distances.mse(), np.linspace(-1, 1, 6), sliders=2)


@pytest.fixture
def client(of):
    pytest.importorskip("httpx", reason=EXTRA)
    from starlette.testclient import TestClient

    from geomgan.explore.app import Workers, app

    workers = Workers(of)
    with TestClient(app(of, "secret", workers), base_url="http://127.0.0.1:8250") as client:
        yield client
    workers.close()


def hear(connection, kind):
    from geomgan.explore.messages import unpacked

    while True:
        header, body = unpacked(connection.receive_bytes())
        if header["is"] == kind and header.get("ready", True):
            return header, body


def connected(client, page="a", **headers):
    headers = {"host": "127.0.0.1:8250", "origin": "http://127.0.0.1:8250", **headers}
    return client.websocket_connect(f"/secret/socket?page={page}", headers=headers)


def ask(connection, **request):
    from geomgan.explore.messages import packed

    connection.send_bytes(packed(request))


def test_only_who_has_the_address_gets_the_page(client):
    page = client.get("/secret/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<title>smooth" in page.text
    assert client.get("/secret/explore.js").headers["content-type"].startswith("text/javascript")
    for other in ("/", "/wrong/", "/secret/app.py", "/secret/../serve.py", "/secret/%2e%2e/serve.py"):
        assert client.get(other).status_code == 404
    assert client.get("/secret/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("headers", [{"origin": "http://evil.example"}, {"host": "evil.example"}])
def test_pages_of_others_get_no_socket(client, headers):
    from starlette.websockets import WebSocketDisconnect

    refusals = (WebSocketDisconnect, AssertionError)  # by the application, and by the list of hosts before it
    with pytest.raises(refusals), connected(client, **headers) as connection:
        connection.receive_bytes()


def test_two_pages_have_scenes_of_their_own_and_a_reload_keeps_its(client):
    with connected(client) as one:
        scene, _ = hear(one, "scene")
        axis = scene["axes"][0]
        ask(one, do="move", axis=axis["number"], s=axis["high"] / 2, scale=axis["scale"], gesture="a")
        while hear(one, "scene")[0]["at"] != 1:
            pass
        ask(one, do="nonsense")
        while not hear(one, "said")[0]["bad"]:
            pass
        one.send_bytes(bytes(2**26 + 1))
        while "67,108,865 bytes" not in hear(one, "said")[0]["text"]:
            pass
    with connected(client, "b") as other:
        assert hear(other, "scene")[0]["at"] == 0
    with connected(client) as again:
        ask(again, do="hello")
        scene, _ = hear(again, "scene")
        assert scene["at"] == 1
        assert scene["axes"][0]["s"] > 0
        assert hear(again, "frame")[1].startswith(b"\x89PNG")


def test_a_port_in_use_is_passed_over_or_told_of():
    with bound_socket() as first, bound_socket() as second:
        ports = [one.getsockname()[1] for one in (first, second)]
        assert PORT <= ports[0] < ports[1]
        with pytest.raises(OptionError, match=f"port {ports[0]} of 127.0.0.1 cannot be used"):
            bound_socket(port=ports[0])
        assert second.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org", ""])
def test_remote_addresses_are_refused(host, capsys):
    with pytest.raises(OptionError, match=r"served on loopback only.*ssh -L"):
        bound_socket(host)
    pytest.importorskip("starlette", reason=EXTRA)
    assert main(["explore", "digits-dcgan", "--host", host]) == 2
    assert "loopback only" in capsys.readouterr().err


def test_it_is_served_and_ends(of):
    pytest.importorskip("uvicorn", reason=EXTRA)
    import urllib.request

    from geomgan.explore.serve import serving

    with serving(of, port=0) as address:
        assert urllib.request.urlopen(address, timeout=20).status == 200
        port = int(address.split(":")[2].split("/")[0])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)):
                return
        time.sleep(0.05)
    pytest.fail("it still listens")


def test_a_notebook_without_widgets_shows_pictures(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "anywidget":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    G = gg.Generator.from_function(
        lambda p, z: p * z.reshape(1, 2, 1), np.ones(()), 2, name="<script>alert(1)</script>"
    )
    shown = gg.explore(G, gg.distances.mse(), np.zeros(2))._repr_mimebundle_()
    assert set(shown) == {"text/plain", "text/html"}
    assert "<script>" not in shown["text/html"]
    assert shown["text/html"].count("<img ") == 14
    assert "geomgan[explore]" in shown["text/html"]


def test_the_widget_speaks_the_same_messages(of):
    pytest.importorskip("anywidget", reason=EXTRA)
    from geomgan.explore.widget import widget

    made, said = widget(of), []
    made.send = lambda header, buffers=None: said.append((header, buffers))
    made._handle_custom_msg({"do": "hello"}, [])
    deadline = time.monotonic() + 60
    while not any(header["is"] == "numbers" for header, _ in said):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert next(buffers for header, buffers in said if header["is"] == "frame")[0].startswith(b"\x89PNG")
    bundle = gg.explore(of.G, of.D, of.code)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<img " in data["text/html"]
