"""Define the names that several modules share: sub-fields, findings, report dimensions, letters of options."""

from dataclasses import dataclass

LETTERS = "ABCDEFGHIJ"
"""Letters of options, first to last: a question has at most so many."""


@dataclass(frozen=True, slots=True)
class Term:
    """One name of the taxonomy in both languages, with what it covers."""

    name: str
    en: str
    zh: str
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Subfield(Term):
    """A sub-field of orthopaedics, with categories of ICD-10 (WHO, 2019) and a MeSH heading; "" if none fits.

    No ICD-10 code belongs to two sub-fields: a fracture of hand or foot belongs to hand or foot, a tumour of a
    vertebra to the spine. M47 is spondylosis of any region; M54 includes radiculopathy and sciatica without a named cause.
    """

    specialty: str = ""
    icd10: str = ""
    mesh: str = ""


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
        Term("fracture", "vertebral fracture", "椎体骨折"),
        Term("pathological_fracture", "pathological vertebral fracture", "病理性椎体骨折"),
        Term("dislocation", "dislocation or instability", "脱位或不稳"),
        Term("tumour", "tumour or metastasis", "肿瘤或转移瘤"),
        Term("infection", "spinal infection", "脊柱感染"),
        Term("epidural_collection", "epidural collection", "硬膜外积液或血肿"),
        Term("cord_signal_change", "signal change of the spinal cord", "脊髓信号改变"),
        Term("neural_compression", "compression of nerve structures", "神经结构受压"),
        Term("marrow_oedema", "bone marrow oedema", "骨髓水肿"),
        Term("marrow_signal_change", "change of the bone marrow signal", "骨髓信号改变"),
        Term("spondylolysis", "spondylolysis", "椎弓峡部裂"),
        Term("synovial_cyst", "synovial cyst of a facet joint", "小关节滑膜囊肿"),
        Term("perineural_cyst", "perineural (Tarlov) cyst", "神经周围囊肿（Tarlov 囊肿）"),
        Term("scoliosis", "scoliosis", "脊柱侧弯"),
        Term("annular_tear", "annular tear", "纤维环撕裂"),
        Term("facet_hypertrophy", "facet joint hypertrophy", "小关节增生肥大"),
        Term("ligamentum_flavum_hypertrophy", "ligamentum flavum hypertrophy", "黄韧带肥厚"),
        Term("osteophytes", "osteophytes", "骨赘形成"),
        Term("haemangioma", "vertebral haemangioma", "椎体血管瘤"),
        Term("straightened_curve", "straightening of the normal curve", "生理曲度变直"),
        Term("muscle_spasm", "signs of muscle spasm", "肌肉痉挛征象"),
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


# The paper names 14 spinal and 7 orthopaedic sub-fields without listing them: these are ours.
SPINE_SUBFIELDS = {
    subfield.name: subfield
    for subfield in (
        Subfield(
            "disc_disease",
            "Intervertebral disc disease",
            "椎间盘疾病",
            "Herniation, bulging and degeneration of intervertebral discs and the radiculopathy they cause.",
            "spine",
            "M50-M51",
            "Intervertebral Disc Displacement",
        ),
        Subfield(
            "spinal_stenosis",
            "Spinal stenosis",
            "椎管狭窄",
            "Narrowing of the canal, lateral recess or foramen, ligament and facet hypertrophy, neurogenic claudication.",
            "spine",
            "M48.0, M99.2-M99.7",
            "Spinal Stenosis",
        ),
        Subfield(
            "spondylolisthesis",
            "Spondylolisthesis and instability",
            "椎体滑脱与脊柱不稳",
            "Pars defects, slips of one vertebra on another and segmental instability.",
            "spine",
            "M43.0-M43.1, M53.2",
            "Spondylolisthesis",
        ),
        Subfield(
            "cervical_myelopathy",
            "Cervical spondylosis and myelopathy",
            "颈椎病与颈脊髓病",
            "Degenerative cord compression of the neck, ossified ligaments and degenerative cervical myelopathy.",
            "spine",
            "M47, M48.8, G99.2",
            "Spondylosis",
        ),
        Subfield(
            "deformity",
            "Spinal deformity",
            "脊柱畸形",
            "Scoliosis, kyphosis, sagittal balance, and their bracing and correction.",
            "spine",
            "M40-M41, M42.0",
            "Spinal Curvatures",
        ),
        Subfield(
            "vertebral_fracture",
            "Vertebral fracture and dislocation",
            "脊柱骨折与脱位",
            "Traumatic fractures, dislocations and ligament injuries of the column.",
            "spine",
            "S12-S13, S22.0-S22.1, S23, S32.0-S32.2, S33, T08",
            "Spinal Fractures",
        ),
        Subfield(
            "osteoporotic_fracture",
            "Osteoporotic vertebral fracture",
            "骨质疏松性椎体骨折",
            "Fragility fractures of vertebrae, bone density, vertebroplasty and kyphoplasty.",
            "spine",
            "M80-M81, M48.5",
            "Osteoporotic Fractures",
        ),
        Subfield(
            "spinal_cord_disorder",
            "Spinal cord injury and disease",
            "脊髓损伤与脊髓疾病",
            "Cord injury and its grading, cauda equina syndrome, syrinx, myelitis and vascular cord disease.",
            "spine",
            "S14.0-S14.1, S24.0-S24.1, S34.0-S34.1, S34.3, G37.3, G82, G83.4, G95",
            "Spinal Cord Diseases",
        ),
        Subfield(
            "spinal_tumour",
            "Spinal tumour",
            "脊柱肿瘤",
            "Primary and metastatic tumours of vertebrae, dura, roots and cord.",
            "spine",
            "C41.2, C70.1, C72.0-C72.1, C79.5, D16.6, D32.1, D33.4",
            "Spinal Neoplasms",
        ),
        Subfield(
            "spinal_infection",
            "Spinal infection",
            "脊柱感染",
            "Discitis, vertebral osteomyelitis, spinal tuberculosis and epidural abscess.",
            "spine",
            "M46.2-M46.5, M49.0-M49.3, A18.0, G06.1",
            "Discitis",
        ),
        Subfield(
            "inflammatory_spine",
            "Inflammatory spine disease",
            "脊柱炎症性疾病",
            "Ankylosing spondylitis, other axial spondyloarthritis, rheumatoid neck and diffuse hyperostosis.",
            "spine",
            "M45, M46.0-M46.1, M46.8-M46.9, M48.1",
            "Axial Spondyloarthritis",
        ),
        Subfield(
            "congenital_spine",
            "Congenital and developmental spine disorders",
            "脊柱先天性与发育性疾病",
            "Dysraphism, segmentation defects, transitional vertebrae and the craniovertebral junction.",
            "spine",
            "Q05-Q06, Q07.0, Q67.5, Q76.0-Q76.4",
            "Spinal Dysraphism",
        ),
        Subfield(
            "back_neck_pain",
            "Back and neck pain",
            "腰背痛与颈痛",
            "Non-specific pain of back and neck, its assessment, conservative care and rehabilitation.",
            "spine",
            "M54",
            "Back Pain",
        ),
        Subfield(
            "spine_anatomy",
            "Spinal anatomy, biomechanics and imaging",
            "脊柱解剖、生物力学与影像",
            "Normal structure and motion of the column, numbering of levels and techniques of imaging it.",
            "spine",
            "",
            "Spine",
        ),
    )
}

ORTHOPAEDIC_SUBFIELDS = {
    subfield.name: subfield
    for subfield in (
        Subfield(
            "limb_trauma",
            "Fractures and dislocations of limbs and pelvis",
            "四肢与骨盆骨折脱位",
            "Fractures and dislocations outside the spine, their fixation, healing and complications.",
            "orthopaedics",
            "S32.3-S32.8, S42, S43.0-S43.3, S52-S53, S72-S73, S82",
            "Fractures, Bone",
        ),
        Subfield(
            "joint_reconstruction",
            "Arthritis and joint replacement",
            "关节炎与关节置换",
            "Osteoarthritis and osteonecrosis of large joints, arthroplasty and its revision.",
            "orthopaedics",
            "M15-M19, M87, Z96.6",
            "Arthroplasty, Replacement",
        ),
        Subfield(
            "sports_medicine",
            "Sports medicine and arthroscopy",
            "运动医学与关节镜",
            "Ligament, meniscus, tendon and cartilage injuries and their arthroscopic treatment.",
            "orthopaedics",
            "M23, M75, S43.4-S43.7, S83",
            "Athletic Injuries",
        ),
        Subfield(
            "hand_upper_limb",
            "Hand and upper limb",
            "手及上肢外科",
            "Disorders of hand, wrist and elbow, peripheral nerves and entrapment.",
            "orthopaedics",
            "M65, M72.0, M77.0-M77.1, G56, S60-S69",
            "Hand Injuries",
        ),
        Subfield(
            "foot_ankle",
            "Foot and ankle",
            "足踝外科",
            "Deformities, tendon disorders and pain of foot and ankle.",
            "orthopaedics",
            "M20.1-M20.6, M21.4, M72.2, M76.6, S90-S99",
            "Foot Diseases",
        ),
        Subfield(
            "paediatric_orthopaedics",
            "Paediatric orthopaedics",
            "小儿骨科",
            "Hip dysplasia, club foot, growth plates and skeletal disease of childhood.",
            "orthopaedics",
            "E55.0, M91-M93, Q65-Q66, Q68-Q74, Q77-Q78",
            "",
        ),
        Subfield(
            "bone_disease",
            "Bone tumours, infection and metabolic bone disease",
            "骨肿瘤、骨感染与代谢性骨病",
            "Tumours of bone and soft tissue, osteomyelitis, septic arthritis and metabolic bone disease outside the spine.",
            "orthopaedics",
            "C40, C41.0-C41.1, C41.3-C41.9, D16.0-D16.5, D16.7-D16.9, M00, M10, M83, M86, M88",
            "Bone Diseases",
        ),
    )
}

SUBFIELDS = SPINE_SUBFIELDS | ORTHOPAEDIC_SUBFIELDS
