/** The page's beginning. */
import './style/base.css'
import { render } from 'preact'
import { begin } from './app/session.ts'
import { Shell } from './app/shell.tsx'

const place = document.getElementById('app')
if (place !== null) render(<Shell />, place)
void begin()
