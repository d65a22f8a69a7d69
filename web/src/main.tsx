/** The page's beginning. */
import { render } from 'preact'

const place = document.getElementById('app')
if (place !== null) render(<p>McBackend Edge</p>, place)
