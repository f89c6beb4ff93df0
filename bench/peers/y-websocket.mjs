// The y-websocket server, as its own src/server.js sets it up, without persistence: PORT (0 for any).
import http from 'node:http'
import { WebSocketServer } from 'ws'
import { setupWSConnection } from '@y/websocket-server/utils'

const server = http.createServer((_request, response) => response.end('okay'))
const sockets = new WebSocketServer({ noServer: true })
sockets.on('connection', setupWSConnection)
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (ws) => sockets.emit('connection', ws, request))
})
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', 4096, () => {
  console.error(`listening on http://127.0.0.1:${server.address().port}`)
})
