/** Where the page finds its server. */

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { socketAddress } from "../src/connection.ts";

test("the socket lies beside the page, also below a proxy's path", () => {
  assert.equal(socketAddress("http://127.0.0.1:8000/#token=a"), "ws://127.0.0.1:8000/socket");
  assert.equal(
    socketAddress("https://hub.example/user/ada/proxy/8000/?x=1#token=a&run=b"),
    "wss://hub.example/user/ada/proxy/8000/socket",
  );
});
