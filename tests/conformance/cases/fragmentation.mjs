// Chapter 5: fragmentation.
import { cont, ping, pong, text } from '../wire.mjs'
import { echoes, fails, script, threeWays } from '../script.mjs'

const open = { fin: false }
const both = ['text', 'fragment1fragment2']

export default [
  { id: '5.1', name: 'ping in two fragments', run: fails([ping('a', open), cont('b')]) },
  { id: '5.2', name: 'pong in two fragments', run: fails([pong('a', open), cont('b')]) },
  ...threeWays(['5.3', '5.4', '5.5'], 'text in two fragments', (o) =>
    echoes([text('fragment1', open), cont('fragment2')], [both], o)),
  ...threeWays(['5.6', '5.7', '5.8'], 'a ping between two fragments', (o) =>
    echoes([text('fragment1', open), ping('ping payload'), cont('fragment2')], [['pong', 'ping payload'], both], o)),
  ...threeWays(['5.9', '5.10', '5.11'], 'a last continuation of nothing', (o) =>
    fails([cont('non-continuation'), text('Hello, world!')], 1002, o)),
  ...threeWays(['5.12', '5.13', '5.14'], 'a continuation of nothing', (o) =>
    fails([cont('non-continuation', open), text('Hello, world!')], 1002, o)),
  { id: '5.15', name: 'text in two fragments, then a continuation of nothing',
    run: script({ send: [text('fragment1', open), cont('fragment2'), cont('fragment3', open), text('fragment4')],
      expect: [both, ['fail', 1002]] }) },
  { id: '5.16', name: 'continuation of nothing, then a text in two, twice',
    run: fails([cont('f1', open), text('f2', open), cont('f3'), cont('f1', open), text('f2', open), cont('f3')]) },
  { id: '5.17', name: 'last continuation of nothing, then a text in two, twice',
    run: fails([cont('f1'), text('f2', open), cont('f3'), cont('f1'), text('f2', open), cont('f3')]) },
  { id: '5.18', name: 'two first fragments', run: fails([text('fragment1', open), text('fragment2')]) },
  ...threeWays(['5.19', '5.20', '5.20.1'], 'text in five fragments with pings between them', (o) =>
    echoes([text('fragment1', open), cont('fragment2', open), ping('pongme 1!'), cont('fragment3', open), cont('fragment4', open), ping('pongme 2!'), cont('fragment5')],
      [['pong', 'pongme 1!'], ['pong', 'pongme 2!'], ['text', 'fragment1fragment2fragment3fragment4fragment5']], o)),
  { id: '5.21', name: 'pings are answered before the message is whole', run: async (t) => {
    const c = await t.open()
    await c.send([text('a', open), ping('early')])
    await c.expect('pong', 'early')
    await c.send(cont('b'))
    await c.expect('text', 'ab')
    await c.finish()
  } },
]
