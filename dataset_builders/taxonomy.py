"""Names of the field that several modules share: sub-fields, findings, report dimensions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """One name of the taxonomy in both languages, with what it covers."""

    name: str
    en: str
    zh: str
    definition: str = ""


FINDINGS = {
    term.name: term
    for term in (
        Term("wedge_fracture", "vertebral wedge (compression) fracture", "椎体楔形（压缩）骨折"),
        Term("spondylolisthesis", "spondylolisthesis", "椎体滑脱"),
        Term("disc_narrowing", "disc space narrowing", "椎间隙狭窄"),
        Term("disc_bulge", "disc bulge", "椎间盘膨出"),
        Term("disc_herniation", "disc herniation", "椎间盘突出"),
        Term("disc_degeneration", "disc degeneration (Pfirrmann grade)", "椎间盘退变（Pfirrmann 分级）"),
        Term("modic_change", "Modic end-plate change", "Modic 终板改变"),
        Term("endplate_change", "end-plate change", "终板改变"),
        Term("canal_stenosis", "spinal canal stenosis", "椎管狭窄"),
        Term("foraminal_narrowing", "neural foraminal narrowing", "椎间孔狭窄"),
        Term("subarticular_stenosis", "subarticular stenosis", "侧隐窝狭窄"),
    )
}

REPORT_SECTIONS = {
    term.name: term
    for term in (
        Term("imaging_findings", "Structured imaging findings", "影像学表现"),
        Term("diagnosis", "AI-assisted diagnosis", "辅助诊断"),
        Term("treatment", "Treatment suggestions", "治疗建议"),
        Term("risk_prognosis", "Risk and prognosis", "风险与预后"),
        Term("postoperative_management", "Post-operative management", "术后管理"),
        Term("diagnostic_basis", "Diagnostic basis and disclaimer", "诊断依据与声明"),
    )
}

# The ten scored dimensions of SpineBench reports and, ours, the five sections they belong to.
SCORED_DIMENSIONS = {
    "imaging_report": "imaging",
    "diagnosis": "diagnosis",
    "patient_guidance": "treatment",
    "evidence_based_treatment": "treatment",
    "technical_feasibility": "treatment",
    "risk_prognosis": "risk",
    "coverage": "reasoning",
    "relevance": "reasoning",
    "granularity": "reasoning",
    "interpretability": "reasoning",
}
