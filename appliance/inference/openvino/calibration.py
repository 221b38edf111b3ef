"""Texts of no particular subject by which 8-bit layers are measured, and others by which the result is judged.

They are varied on purpose: prose, rules, tables, lists, figures, code and addresses, in the languages a model may read.
"""

from __future__ import annotations

MEASURED = (
    "The committee met on 14 March to review the maintenance plan for the coming year. Members agreed that the "
    "pumps in the lower hall should be replaced before winter, while the ventilation could wait until the new "
    "budget is approved. A written proposal with two independent offers is to be presented at the next meeting.",
    "Revenue for the quarter was $4,218.6 million, up 7.3% from $3,931.2 million a year earlier. Operating "
    "income fell to $612.4 million, mainly because of higher freight costs and a one-time charge of $38 "
    "million. Diluted earnings per share were $1.87, compared with $1.94. Net cash provided by operating "
    "activities was $905 million.",
    "Section 12.4 Notice. Either party may terminate this agreement by giving the other not less than ninety "
    "(90) days' written notice. Termination shall not affect any rights or obligations which have accrued "
    "before its effective date. The provisions of sections 7, 9 and 15 shall survive.",
    "Patients who received the treatment showed a lower rate of relapse after six months (18% versus 31%, p < "
    "0.01). Expression of the receptor in T cells was reduced, and serum levels of IL-6 returned to normal. No "
    "serious adverse events were reported; mild headache was the most frequent complaint.",
    "Item | Quantity | Unit price | Total\nBolt M8x40 | 250 | 0.12 | 30.00\nWasher 8.4 | 500 | 0.03 | "
    "15.00\nBearing 6204-2RS | 12 | 4.85 | 58.20\nGrease, 1 kg | 2 | 17.90 | 35.80\nSum | | | 139.00",
    "def area(width: float, height: float) -> float:\n    if width < 0 or height < 0:\n        raise "
    "ValueError('sides must not be negative')\n    return width * height\n\nfor size in [(2, 3), (4.5, 1)]:\n  "
    "  print(area(*size))",
    "To reset the controller: 1. Switch off the mains and wait 30 seconds. 2. Hold down the green button. 3. "
    "Switch the mains on again and keep the button pressed until the lamp blinks twice. 4. Enter the code from "
    "the label.",
    "Die Prüfung der Anlage erfolgt mindestens einmal jährlich durch eine befähigte Person. Festgestellte "
    "Mängel sind unverzüglich zu beseitigen; bis dahin darf die Anlage nicht betrieben werden. Das "
    "Prüfprotokoll ist zehn Jahre aufzubewahren und auf Verlangen der zuständigen Behörde vorzulegen.",
    "Le conseil a approuvé le procès-verbal de la séance précédente. Il a ensuite examiné la demande de crédit "
    "pour la rénovation de l'école et décidé, par sept voix contre deux, de la soumettre au vote du peuple en "
    "septembre.",
    "Il contratto di locazione decorre dal 1° luglio e ha una durata di quattro anni. Il canone mensile, pari "
    "a 1.250 franchi, va pagato in anticipo entro il quinto giorno di ogni mese.",
    "Los trabajadores tienen derecho a un descanso de veinte minutos cuando la jornada supere las seis horas. "
    "El empresario debe garantizar que las instalaciones estén limpias y bien ventiladas.",
    "From: reception\nTo: all staff\nSubject: parking\n\nThe car park will be closed on Friday from 7 am to "
    "noon while the lines are repainted. Please use the spaces behind the warehouse. Questions? Call extension "
    "204.",
    "Glossary. Torque: a twisting force. Yield strength: the stress at which a material begins to deform for "
    "good. Annealing: slow cooling that makes metal softer. Slag: what is left of ore after smelting.",
    "What is the deadline for the annual report?",
    "window",
    "",
    "12/2026 98.4 kPa 0x1F 3.14159 +41 000 000 00 00 ISO 9001:2015 §7.1.5 € 12,50 [3] (b) ****** ______ ...........",
)
"""Texts whose inputs to each layer set the ends of the 8-bit steps."""

JUDGED = (
    "The river froze early that year, and the ferry could not run until April. People crossed on foot, "
    "carrying goods on sledges, and the price of salt doubled within a month.",
    "Employees accrue 2.08 days of leave per month. Unused days, up to a maximum of five, may be carried over "
    "to the next calendar year and expire on 31 March.",
    "Total assets 18,442 17,903 Current liabilities 5,120 4,877 Long-term debt 6,300 6,150 Shareholders' equity 7,022",
    "Bei Störungen ist der Notausschalter zu betätigen und der Schichtleiter zu benachrichtigen.",
    "How do I change the filter?",
    "The enzyme catalyses the conversion of fructose 6-phosphate, and its activity is inhibited by high levels of ATP.",
)
"""Texts whose 8-bit vectors are compared with those of float32 before 8 bits are used."""
