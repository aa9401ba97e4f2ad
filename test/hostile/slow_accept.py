"""A server whose connections take a second: its queue is full until it begins to accept."""
import json, socket, sys, time

server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
port = server.getsockname()[1]
waiting = []
for _ in range(4):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    waiting.append(client)
print(json.dumps({"port": port}), flush=True)
sys.stdin.readline()
time.sleep(0.6)
for client in waiting:
    client.close()
tokens = {"accessToken": "a" * 24, "expiresInSeconds": 300, "refreshToken": "r" * 24, "refreshExpiresInSeconds": 900}
body = json.dumps(tokens).encode()
head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
while True:
    connection, _ = server.accept()
    try:
        if connection.recv(65536):
            connection.sendall(head.encode() + body)
    except OSError:
        pass
    connection.close()
