"""A published case and hospital notes."""

from dataset_builders.document import Document, Provenance

CASE_REPORT = """# A slip that was fused

## Abstract

A summary of surgery and MRI that is no part of the case.

## Case report

A 50-year-old man complained of pain in both legs on walking. He had undergone a hernia repair ten years ago.
Power and reflexes were normal on both sides. MRI showed a slip of L4 on L5 with a narrow canal (Figure 1).
The canal was wide at the other levels. The diagnosis was degenerative spondylolisthesis at L4/L5.
He underwent decompression and fusion of L4/L5. Blood loss was small. At one year follow-up he walked without pain.

## Discussion

Slips are common and surgery is sometimes needed.
"""


NOTE = """NAME: somebody
CHIEF COMPLAINT: Back pain for three weeks.
EXAMINATION: Tender over L1.
IMAGING FINDINGS: CT shows a wedge-shaped L1. The posterior wall is intact.
DIAGNOSIS: Compression fracture of L1.
TREATMENT: Brace for eight weeks and vitamin D.
RISK AND PROGNOSIS: New fractures are possible.
POSTOPERATIVE MANAGEMENT AND FOLLOW-UP: Not operated.
"""


NOTE_ZH = """主诉：腰痛两周。
体格检查：L4/L5棘突压痛。
影像学表现：MRI示L4/L5椎间盘突出，压迫硬膜囊。
诊断：腰椎间盘突出症（L4/L5）。
治疗：卧床休息，给予非甾体抗炎药。
预后：多数患者可缓解。
"""


MRI_NOTE = """LSS MRI:
- Diffuse disc bulge noted at L3/L4 level.
- Left disc protrusion at L4-L5, compressing the thecal sac.
No fracture seen."""


def make_note(markdown: str, kind="hospital_case", language="en") -> Document:
    provenance = Provenance(kind, "case:9", "LicenseRef-Hospital", "note.txt", "0" * 64, case_id="9")
    return Document(provenance, language, markdown, specialty="spine")
