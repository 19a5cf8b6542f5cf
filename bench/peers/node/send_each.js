// firebase-admin for Node: sendEach, 500 messages a call, over its own HTTP/2. ORIGIN MESSAGE.json COUNT
'use strict'
const fs = require('fs')
const http2 = require('http2')

const [origin, sample, total] = process.argv.slice(-3)
// the package's address is a constant: only the address that it connects to is changed
const connect = http2.connect
http2.connect = (_authority, ...rest) => {
  const session = connect(origin, ...rest)
  const request = session.request.bind(session)
  // the package sends the scheme `https:`, which Google's servers accept and nginx and nghttpd do not
  session.request = (headers, ...more) => request({ ...headers, ':scheme': 'https' }, ...more)
  return session
}

const { initializeApp, SDK_VERSION: version } = require('firebase-admin/app')
const { getMessaging } = require('firebase-admin/messaging')
const AT_ONCE = 500

const app = initializeApp({
  projectId: 'notifier-sandbox',
  credential: { getAccessToken: async () => ({ access_token: 'ya29.c.' + 'b'.repeat(180), expires_in: 3600 }) },
})
const message = JSON.parse(fs.readFileSync(sample))
message.android.priority = message.android.priority.toLowerCase()

async function send (count) {
  let accepted = 0
  for (let start = 0; start < count; start += AT_ONCE) {
    const batch = Array(Math.min(AT_ONCE, count - start)).fill(message)
    const answer = await getMessaging(app).sendEach(batch)
    const failed = answer.responses.find(one => !one.success)
    if (failed) throw failed.error
    accepted += answer.successCount
  }
  return accepted
}

async function main () {
  await send(1)
  const began = process.hrtime.bigint()
  const accepted = await send(Number(total))
  const seconds = Number(process.hrtime.bigint() - began) / 1e9
  console.log(JSON.stringify({ accepted, seconds, version: `firebase-admin (Node) ${version}` }))
  process.exit(0)
}

main().catch(error => { console.error(String(error.message || error)); process.exit(1) })
