// Handshakes by Node: one line in, one line out. See worker.py for the lines.
'use strict'
const net = require('node:net')
const readline = require('node:readline')
const tls = require('node:tls')

const REQUEST = 'pkiplan asks\n'
const ANSWER = 'pkiplan answers\n'

function fields(line) {
  const found = {}
  for (const word of line.trim().split(' ')) {
    const at = word.indexOf('=')
    found[word.slice(0, at)] = Buffer.from(word.slice(at + 1), 'base64').toString('utf8')
  }
  return found
}

function why(error) {
  return [error.code, error.reason, error.message].filter(Boolean).join(': ')
}

function shakeHands(asked, done) {
  const common = { minVersion: `TLSv${asked.version}`, maxVersion: `TLSv${asked.version}` }
  if (asked.weak) common.ciphers = 'DEFAULT:@SECLEVEL=0'
  const demands = asked.server_trusts !== undefined
  let server
  try {
    server = tls.createServer({
      ...common, cert: asked.server_chain, key: asked.server_key, requestCert: demands,
      rejectUnauthorized: demands, ...(demands ? { ca: asked.server_trusts } : {}),
    })
  } catch (error) {
    return done('refused', 'server', `cannot begin: ${why(error)}`)
  }
  let client
  let over = false
  // What the server says of a client comes after the client's own end: it has a moment to say it.
  const finish = (...said) => {
    if (over) return
    over = true
    if (client) client.destroy()
    server.close()
    done(...said)
  }
  let alert
  const later = (side, text) => {
    if (alert) return
    alert = setTimeout(() => finish('refused', side, text), 300)
  }
  server.on('tlsClientError', (error, socket) => {
    const verdict = socket.authorizationError
    if (verdict) return finish('refused', 'server', String(verdict))
    const text = why(error)
    if (/alert|hang up|ECONNRESET/i.test(text)) return later('client', text)
    finish('refused', 'server', text)
  })
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {})
    let heard = ''
    socket.setEncoding('utf8')
    socket.on('data', (data) => {
      heard += data
      if (heard === REQUEST) socket.end(ANSWER)
    })
  })
  server.listen(0, '127.0.0.1', () => {
    const isAddress = asked.host !== undefined && net.isIP(asked.host) !== 0
    try {
      client = tls.connect({
        ...common, host: '127.0.0.1', port: server.address().port, ca: asked.client_trusts,
        ...(asked.client_chain !== undefined ? { cert: asked.client_chain, key: asked.client_key } : {}),
        ...(asked.host !== undefined && !isAddress ? { servername: asked.host } : {}),
        checkServerIdentity: (_, certificate) =>
          asked.host === undefined ? undefined : tls.checkServerIdentity(asked.host, certificate),
      })
    } catch (error) {
      return finish('refused', 'client', `cannot begin: ${why(error)}`)
    }
    let heard = ''
    client.setEncoding('utf8')
    client.on('secureConnect', () => client.write(REQUEST))
    client.on('data', (data) => {
      heard += data
      if (heard === ANSWER) finish('accepted')
    })
    client.on('error', (error) => {
      const text = why(error)
      if (/alert|hang up|ECONNRESET|EPIPE|socket disconnected/i.test(text)) return later('server', text)
      finish('refused', 'client', text)
    })
    client.on('close', () => later('server', 'the server closed the connection'))
  })
}

const lines = readline.createInterface({ input: process.stdin, terminal: false })
lines.on('line', (line) => {
  shakeHands(fields(line), (outcome, side = '', text = '') => {
    process.stdout.write(`= ${[outcome, side, Buffer.from(text).toString('base64')].join(' ').trim()}\n`)
  })
})
lines.on('close', () => process.exit(0))
