/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A WebSocket as a stream of raw bytes: what binary messages hold, wherever they are cut. It
 * carries SPDY (sub-protocol "SPDY/3.1+portforward.k8s.io") or is handed to another process by
 * stream_detach. There is no half-close: stream_end closes the WebSocket, and the peer's close is
 * `end`. Same loop as the WebSocket.
 */
#pragma once

struct stream;
struct ws;

/* Takes over w, which is open and has delivered nothing yet (conf.paused, or inside ws_accept's or
 * `opened`'s caller); its events go to the stream from now on. The stream lives until its `closed`;
 * w must not be used any more. */
struct stream *ws_tunnel(struct ws *w);
