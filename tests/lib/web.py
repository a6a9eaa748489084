"""A web server for the step `http`."""

import http.server
import threading


class Web:
    """A web server that answers with the statuses given, the last one for ever; None: it hangs up."""

    def __init__(self, *statuses):
        self.statuses, self.requests = list(statuses), []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                body = self.rfile.read(int(self.headers['Content-Length']))
                web.requests.append((self.command, self.path, dict(self.headers), body))
                status = web.statuses.pop(0) if len(web.statuses) > 1 else web.statuses[0]
                if status is None:
                    self.close_connection = True
                    return
                text = b'it says why'
                self.send_response(status)
                self.send_header('Content-Length', str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/edi'

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
