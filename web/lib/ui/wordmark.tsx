// The wordmark: the two halves of a ticket, ADMIT and ONE, divided by the perforation.

export function Wordmark() {
  return (
    <svg viewBox="0 0 132 34" role="img" aria-label="Admit One">
      <path
        class="half"
        d="M5 1h76a5 5 0 0 0 10 0h36a4 4 0 0 1 4 4v24a4 4 0 0 1-4 4H91a5 5 0 0 0-10 0H5a4 4 0 0 1-4-4V5a4 4 0 0 1 4-4z"
      />
      <path class="cut" d="M86 9v18" stroke-width="2" stroke-dasharray="3 3" />
      <text x="10" y="23" textLength="64" lengthAdjust="spacingAndGlyphs">
        ADMIT
      </text>
      <text x="95" y="23" textLength="30" lengthAdjust="spacingAndGlyphs">
        ONE
      </text>
    </svg>
  )
}
