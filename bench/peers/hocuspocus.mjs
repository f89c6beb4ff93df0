// Hocuspocus with its default configuration and nothing that stores: PORT (0 for any).
import { Server } from '@hocuspocus/server'

const server = new Server({ port: Number(process.argv[2] ?? 0), address: '127.0.0.1', quiet: true })
await server.listen()
console.error(`listening on http://127.0.0.1:${server.httpServer.address().port}`)
