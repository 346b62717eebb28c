// The page on loopback: one socket to the machine that computes, made again when it is lost.
import { mount, packed, unpacked } from "./explore.js";

const page = (sessionStorage.page ??= crypto.randomUUID());
let socket, hear = () => {}, wait = 250;
const link = {
  send(header, body) {
    if (socket?.readyState === WebSocket.OPEN) socket.send(packed(header, body));
  },
  listen(listener) { hear = listener; },
};

function connect() {
  const address = new URL("socket", location.href);
  address.protocol = "ws:";
  address.searchParams.set("page", page);
  socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => { wait = 250; link.send({ do: "hello" }); };
  socket.onmessage = (event) => hear(...unpacked(event.data));
  socket.onclose = () => {
    hear({ is: "said", bad: true, text: "The connection is lost: is geomgan explore still running? Trying again …" });
    setTimeout(connect, (wait = Math.min(2 * wait, 5000)));
  };
}

mount(document.getElementById("explorer"), link);
connect();
