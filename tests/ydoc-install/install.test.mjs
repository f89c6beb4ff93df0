// The library as others get it: installed alone into an empty prefix, and used from there.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const HELLO = path.join(ROOT, 'examples/ydoc/hello.c')
const UPDATE = Buffer.from('01010500040104746578740568656c6c6f00', 'hex') // "hello" in the root "text"
const VERSION = /define YDOC_VERSION "(.*)"/.exec(fs.readFileSync(path.join(ROOT, 'include/ydoc.h'), 'utf8'))[1]

let scratch, prefix, libdir

const run = (command, args, options = {}) => execFileSync(command, args, { cwd: scratch, encoding: 'utf8', ...options })
const pkgConfig = (...args) =>
  run('pkg-config', [...args, 'ydoc'], { env: { ...process.env, PKG_CONFIG_PATH: path.join(libdir, 'pkgconfig') } })
    .trim()
    .split(/\s+/)
const symbols = (...args) =>
  run('nm', args)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length === 3)
    .map((words) => words[2])

before(() => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'ydoc-install-'))
  prefix = path.join(scratch, 'prefix')
  libdir = path.join(prefix, 'lib')
  // Without pkg-config on the way and with no package to be found, a hidden need of one fails here.
  run('cmake', ['-S', ROOT, '-B', 'build', '-DSKEIN_ONLY_YDOC=ON', '-DCMAKE_INSTALL_LIBDIR=lib'], { env: { ...process.env, PKG_CONFIG_LIBDIR: scratch } })
  run('cmake', ['--build', 'build', '-j', String(os.availableParallelism())])
  run('cmake', ['--install', 'build', '--prefix', prefix])
})

after(() => fs.rmSync(scratch, { recursive: true, force: true }))

test('the shared library has its version in its names, and needs libc alone', () => {
  const minor = VERSION.split('.').slice(0, 2).join('.')
  const dynamic = run('readelf', ['-d', path.join(libdir, 'libydoc.so')])
  assert.match(dynamic, new RegExp(`SONAME.*\\[libydoc\\.so\\.${minor}\\]`))
  assert.deepEqual([...dynamic.matchAll(/NEEDED.*\[(.*)\]/g)].map((m) => m[1]).filter((n) => !/^(libc|ld-)/.test(n)), [])
  assert.equal(fs.realpathSync(path.join(libdir, 'libydoc.so')), path.join(fs.realpathSync(libdir), `libydoc.so.${VERSION}`))
})

test('exactly the functions that ydoc.h declares can be linked against', () => {
  const header = ['ydoc.h', 'ydoc_protocols.h']
    .map(name => fs.readFileSync(path.join(prefix, 'include', name), 'utf8'))
    .join('').replace(/\/\*[^]*?\*\//g, '')
  const inline = new Set([...header.matchAll(/static inline [^;{]*?\b(ydoc_\w+)\(/g)].map((m) => m[1]))
  const declared = [...header.matchAll(/^\w[^;{}()]*?\b(ydoc_\w+)\(/gm)].map((m) => m[1]).filter((n) => !inline.has(n)).sort()
  assert.ok(declared.length > 30)
  assert.deepEqual(symbols('-D', '--defined-only', path.join(libdir, 'libydoc.so')).sort(), declared)
  assert.deepEqual(symbols('-g', '--defined-only', path.join(libdir, 'libydoc.a')).sort(), declared)
})

test('the example builds with pkg-config against the shared library', () => {
  run('cc', ['-std=c11', '-Wall', '-Wextra', '-Werror', HELLO, '-o', 'hello', ...pkgConfig('--cflags', '--libs')])
  assert.equal(run('./hello', [], { input: UPDATE, env: { LD_LIBRARY_PATH: libdir } }), 'hello\n')
  const broken = spawnSync('./hello', { cwd: scratch, input: UPDATE.subarray(0, 12), env: { LD_LIBRARY_PATH: libdir }, encoding: 'utf8' })
  assert.equal(broken.status, 1)
  assert.match(broken.stderr, /byte \d+: /)
})

test('the example builds with pkg-config against the static library', () => {
  const flags = pkgConfig('--static', '--cflags', '--libs').map((f) => (f === '-lydoc' ? '-l:libydoc.a' : f))
  run('cc', [HELLO, '-o', 'hello-static', ...flags])
  assert.equal(run('./hello-static', [], { input: UPDATE, env: {} }), 'hello\n')
})

// An example's opening comment says what it prints, after the word alone on a line.
const EXAMPLES = path.dirname(HELLO)
const examples = fs.readdirSync(EXAMPLES).filter((name) => name.endsWith('.c') && name !== 'hello.c')
const sourceOf = (name) => fs.readFileSync(path.join(EXAMPLES, name), 'utf8')
function promised(name) {
  const lines = sourceOf(name).split(' */\n')[0].split('\n')
  const from = lines.indexOf(' * prints')
  assert.notEqual(from, -1, `${name} does not say what it prints`)
  return lines.slice(from + 1).filter((line) => line !== '').map((line) => `${line.replace(/^ \* {5}/, '')}\n`).join('')
}

for (const name of examples) {
  test(`the example ${name} prints what it says`, () => {
    const program = path.join(scratch, path.basename(name, '.c'))
    run('cc', ['-std=c11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', path.join(EXAMPLES, name), '-o', program, ...pkgConfig('--cflags', '--libs')])
    assert.equal(run(program, [], { env: { LD_LIBRARY_PATH: libdir } }), promised(name))
  })
}

// Lines may be left out where the guide has a line of `…` alone; how far they are indented is free.
test('what the guide to the library quotes is in the examples', () => {
  const bare = (text) => text.split('\n').map((line) => line.trim()).filter((line) => line !== '').join('\n')
  const all = [...examples, 'hello.c'].map((name) => bare(sourceOf(name)))
  const quotes = [...fs.readFileSync(path.join(ROOT, 'docs/ydoc-api.md'), 'utf8').matchAll(/^```c\n([^]*?)^```$/gm)]
  assert.ok(quotes.length > 5)
  for (const [, quote] of quotes) {
    for (const part of quote.split(/^ *…$/m)) assert.ok(all.some((source) => source.includes(bare(part))), `no example has\n${part}`)
  }
})

test('every example is in the guide', () => {
  const guide = fs.readFileSync(path.join(ROOT, 'docs/ydoc-api.md'), 'utf8')
  for (const name of [...examples, 'hello.c']) assert.ok(guide.includes(`(../examples/ydoc/${name})`), name)
})

test('ydoc.h is a header for C++ too', () => {
  fs.writeFileSync(
    path.join(scratch, 'hello.cc'),
    '#include <ydoc.h>\nint main() { ydoc *d; return ydoc_new(&d, nullptr) ? 1 : (ydoc_free(d), 0); }\n',
  )
  run('c++', ['-std=c++11', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-c', 'hello.cc', ...pkgConfig('--cflags')])
})

test('find_package(ydoc) of CMake finds both libraries', () => {
  const project = path.join(scratch, 'project')
  fs.mkdirSync(project)
  fs.writeFileSync(
    path.join(project, 'CMakeLists.txt'),
    `cmake_minimum_required(VERSION 3.25)
project(hello C)
find_package(ydoc ${VERSION} REQUIRED)
foreach(kind ydoc static)
  add_executable(hello_\${kind} ${HELLO})
  target_link_libraries(hello_\${kind} ydoc::\${kind})
endforeach()
`,
  )
  run('cmake', ['-S', project, '-B', 'project-build', `-DCMAKE_PREFIX_PATH=${prefix}`])
  run('cmake', ['--build', 'project-build'])
  for (const kind of ['ydoc', 'static']) assert.equal(run(`project-build/hello_${kind}`, [], { input: UPDATE }), 'hello\n')
})

test('src/ydoc builds as a project of its own', () => {
  run('cmake', ['-S', path.join(ROOT, 'src/ydoc'), '-B', 'alone'])
  run('cmake', ['--build', 'alone', '-j', String(os.availableParallelism())])
  assert.equal(run('alone/ydoc', ['version']), `ydoc ${VERSION}\n`)
})

test('the installed command runs', () => {
  assert.equal(run(path.join(prefix, 'bin/ydoc'), ['text', '-'], { input: UPDATE }), 'hello')
})
