import pytest

from dataset_builders.deidentify.other_languages import find_other_language
from tests.support.timing import seconds

OTHERS = {
    "spanish": "La paciente refiere dolor lumbar desde hace tres años, en la pierna derecha, sin fiebre.",
    "french": "La patiente se plaint de douleurs lombaires depuis trois ans, dans la jambe droite et sans fièvre.",
    "german": "Die Patientin klagt seit drei Jahren über Schmerzen in das rechte Bein und wird nicht operiert.",
    "portuguese": "O paciente refere dor lombar desde há três anos, para a perna direita e não foi operado mais.",
    "italian": "Il paziente riferisce dolore lombare da tre anni, con irradiazione alla gamba destra, e non è stato operato.",
    "dutch": "De patiënt heeft sinds drie jaar pijn in het rechterbeen en werd niet geopereerd, ook niet aan de rug.",
    "polish": "Pacjent od trzech lat zgłasza ból pleców oraz nie był leczony po urazie, jak podaje, do dnia przyjęcia.",
    "turkish": "Hasta üç yıldır bel ağrısı ile başvurdu, sağ bacakta daha çok ağrı var ve ameliyat için hazırlık yok.",
    "vietnamese": "Bệnh nhân đau lưng từ ba năm, đau lan xuống chân phải và không có sốt, đã được điều trị tại nhà.",
    "indonesian": "Pasien mengeluh nyeri pinggang sejak tiga tahun, dan tidak ada demam, sudah berobat dengan obat ini.",
    "swedish": "Patienten har smärta i ryggen sedan tre år och det är inte feber, hon har inte opererats.",
    "finnish": "Potilas kertoo että selässä on ollut kipu kolme vuotta ja se ei ole mennyt ohi.",
    "czech": "Pacient má bolest zad tři roky a nebyl operován, bolest je pravé straně, při chůzi se zhoršuje do nohy.",
    "romanian": "Pacienta are durere de trei ani și nu a fost operată, cu iradiere în piciorul drept sau după efort.",
    "hungarian": "A beteg három éve panaszolja, hogy fájdalom van a bal lábában, és nem volt műtét, meg láz sem volt.",
    "tagalog": "Ang pasyente ay may sakit sa likod ng tatlong taon at hindi pa siya naoperahan sa kanan na binti niya.",
    "swahili": "Mgonjwa ana maumivu ya mgongo kwa miaka mitatu na hana homa, katika mguu wa kulia baada ya ajali hiyo.",
    "russian or another language in Cyrillic": "Пациентка жалуется на боли в пояснице в течение трёх лет.",
    "japanese": "患者は三年前から腰痛があり、右下肢にしびれがあります。手術は受けていませんが、リハビリを続けています。",
    "korean": "환자는 삼 년 전부터 허리 통증이 있으며 오른쪽 다리로 방사통이 있습니다.",
    "arabic, persian or urdu": "تشكو المريضة من ألم في أسفل الظهر منذ ثلاث سنوات مع تنميل في الساق اليمنى",
    "hindi or another language in Devanagari": "रोगी को तीन साल से कमर में दर्द है और दाहिने पैर में सुन्नपन है",
    "thai": "ผู้ป่วยมีอาการปวดหลังมาสามปีและชาที่ขาขวา",
}
OURS = (
    "",
    "L4/5 disc, 4 mm. No cord signal.",
    "De la Cruz, Maria; van der Berg, Jan; Dos Santos, João; El Amin, Al Hassan",
    "T2 hyperint. L5-S1 w/ mild b/l foram narrowing; d/c home, f/u 6/52",
    "Tne pat1ent has lurnbar pa1n, no fe ver, L4 / 5 dlsc bulqe",
    "患者腰痛3年，行L4/5 TLIF术后，desde无不适",
    "MRN,name,level\n1,Nguyen Van An,L4\n2,Müller-Lüdenscheidt,L5",
    "Dx: spondylosis deformans, lordosis, status post laminectomy, M. erector spinae, processus spinosus, in situ",
    "Patient's daughter translated: 'dolor en la espalda'. She has had back pain for 3 years and was seen in the clinic.",
)


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_is_named(language):
    assert find_other_language(OTHERS[language]) == language


@pytest.mark.parametrize("text", OURS)
def test_english_chinese_and_too_little_to_tell_are_not_refused(text):
    assert find_other_language(text) is None


def test_time_is_linear():
    text = "la paciente refiere dolor и боль 患者 " * 2_000
    assert seconds(find_other_language, text * 10) < 30 * max(seconds(find_other_language, text), 0.005)
