/** Two to eight runs beside each other. */
export function CompareScreen() {
  return <h1>Compare</h1>
}
