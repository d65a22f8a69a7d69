/** The client in a page: the address of the server is behind `#`, and what came of it is put into the document. */
import { useClient } from '../consumer.mjs'

const output = document.querySelector('output')
useClient(location.hash.slice(1)).then(
  (text) => {
    output.textContent = `used: ${text}`
  },
  (error) => {
    output.textContent = `failed: ${error.stack ?? error}`
  },
)
