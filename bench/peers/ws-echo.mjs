// An echo of the `ws` library, which both JavaScript servers stand on: PORT (0 for any).
import { WebSocketServer } from 'ws'

const server = new WebSocketServer({ port: Number(process.argv[2] ?? 0), host: '127.0.0.1', backlog: 4096 })
server.on('connection', (socket) => {
  socket.on('message', (data, binary) => socket.send(data, { binary }))
})
server.on('listening', () => {
  console.error(`listening on http://127.0.0.1:${server.address().port}`)
})
