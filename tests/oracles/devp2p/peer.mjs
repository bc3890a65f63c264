// An independent peer (npm @ethereumjs/devp2p) that a test drives by JSON lines: commands in, events out.
//
// argv[2]: {"key": hex32, "chainId": n, "forkHash": hex4, "clientId": text}
// commands: {"do": "listen"} {"do": "dial", "id": hex64, "port": n} {"do": "status", "td", "head", "genesis": hex}
//           {"do": "send", "protocol": "eth" | "istanbul", "code": n, "payload": hex of RLP} {"do": "ping"}
//           {"do": "disconnect", "reason": n} {"do": "quit"}
import { createInterface } from 'node:readline'
import { Common, Mainnet } from '@ethereumjs/common'
import { ETH, RLPx } from '@ethereumjs/devp2p'
import { RLP } from '@ethereumjs/rlp'
import { bytesToUnprefixedHex as hex, unprefixedHexToBytes as unhex, utf8ToBytes } from '@ethereumjs/util'
import * as snappy from 'snappyjs'

const Protocol = Object.getPrototypeOf(ETH)
const setup = JSON.parse(process.argv[2])
const say = (event, fields = {}) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')

class Istanbul extends Protocol {
  constructor(version, peer, send) {
    super(peer, send, 'snap', version, {}) // as 'snap': no timer for a Status, which istanbul does not have
  }
  _handleMessage(code, data) {
    say('message', { protocol: 'istanbul', code, payload: hex(data) })
  }
}
const istanbul = { name: 'istanbul', version: 100, length: 22, constructor: Istanbul }

const hardforks = [{ name: 'chainstart', block: 0, forkHash: '0x' + setup.forkHash }]
const chain = { ...Mainnet, name: 'cocket', chainId: setup.chainId, hardforks }
const common = new Common({ chain, hardfork: 'chainstart' })

const rlpx = new RLPx(unhex(setup.key), {
  clientId: utf8ToBytes(setup.clientId),
  common,
  capabilities: [ETH.eth68, istanbul],
  listenPort: null,
})
let current = null

rlpx.events.on('error', (error) => say('error', { detail: String(error) }))
rlpx.events.on('peer:error', (_, error) => say('error', { detail: String(error) }))
rlpx.events.on('peer:removed', (_, reason, isOurs) => say('closed', { reason, isOurs: isOurs === true }))
rlpx.events.on('peer:added', (peer) => {
  current = peer
  const hello = peer.getHelloMessage()
  const capabilities = hello.capabilities.map((c) => `${c.name}/${c.version}`)
  const offsets = Object.fromEntries(peer._protocols.map((p) => [p.protocol.constructor.name, p.offset]))
  say('open', { clientId: hello.clientId, id: hex(hello.id), port: hello.port, capabilities, offsets })
  const eth = protocol('eth')
  eth.events.on('status', (status) => {
    const [forkHash, forkNext] = status.forkId
    say('status', {
      networkId: hex(status.chainId),
      td: hex(status.td),
      head: hex(status.bestHash),
      genesis: hex(status.genesisHash),
      forkHash: hex(forkHash),
      forkNext: hex(forkNext),
    })
  })
  eth.events.on('message', (code, payload) => {
    if (code !== 0) say('message', { protocol: 'eth', code, payload: hex(RLP.encode(payload)) }) // not the Status again
  })
  const handlePong = peer._handlePong.bind(peer)
  peer._handlePong = () => {
    handlePong()
    say('pong')
  }
})

const protocol = (name) => current.getProtocols().find((p) => (name === 'eth' ? p instanceof ETH : p instanceof Istanbul))

const commands = {
  listen: () => {
    rlpx.events.once('listening', () => say('listening', { port: rlpx._server.address().port }))
    rlpx.listen(0, '127.0.0.1')
  },
  dial: ({ id, port }) =>
    rlpx
      .connect({ id: unhex(id), address: '127.0.0.1', tcpPort: port, udpPort: port })
      .catch((error) => say('error', { detail: String(error) })),
  status: ({ td, head, genesis }) =>
    protocol('eth').sendStatus({ td: unhex(td), bestHash: unhex(head), genesisHash: unhex(genesis) }),
  send: ({ protocol: name, code, payload }) => protocol(name)._send(code, snappy.compress(unhex(payload))),
  ping: () => current._sendPing(),
  disconnect: ({ reason }) => current.disconnect(reason),
  quit: () => process.exit(0),
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = JSON.parse(line)
    commands[command.do](command)
  })
  .on('close', () => process.exit(0))
say('ready', { id: hex(rlpx.id) })
