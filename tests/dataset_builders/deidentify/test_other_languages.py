import pytest

from dataset_builders.deidentify.other_languages import find_all_but_medicine, find_other_language
from tests.support.timing import seconds

OTHERS = {
    "es": "La paciente refiere dolor lumbar desde hace tres años, en la pierna derecha, sin fiebre.",
    "fr": "La patiente se plaint de douleurs lombaires depuis trois ans, dans la jambe droite et sans fièvre.",
    "de": "Die Patientin klagt seit drei Jahren über Schmerzen in das rechte Bein und wird nicht operiert.",
    "pt": "O paciente refere dor lombar desde há três anos, para a perna direita e não foi operado mais.",
    "it": "Il paziente riferisce dolore lombare da tre anni, con irradiazione alla gamba destra, e non è stato operato.",
    "nl": "De patiënt heeft sinds drie jaar pijn in het rechterbeen en werd niet geopereerd, ook niet aan de rug.",
    "pl": "Pacjent od trzech lat zgłasza ból pleców oraz nie był leczony po urazie, jak podaje, do dnia przyjęcia.",
    "tr": "Hasta üç yıldır bel ağrısı ile başvurdu, sağ bacakta daha çok ağrı var ve ameliyat için hazırlık yok.",
    "vi": "Bệnh nhân đau lưng từ ba năm, đau lan xuống chân phải và không có sốt, đã được điều trị tại nhà.",
    "id": "Pasien mengeluh nyeri pinggang sejak tiga tahun, dan tidak ada demam, sudah berobat dengan obat ini.",
    "sv": "Patienten har smärta i ryggen sedan tre år och det är inte feber, hon har inte opererats.",
    "fi": "Potilas kertoo että selässä on ollut kipu kolme vuotta ja se ei ole mennyt ohi.",
    "cs": "Pacient má bolest zad tři roky a nebyl operován, bolest je pravé straně, při chůzi se zhoršuje do nohy.",
    "ro": "Pacienta are durere de trei ani și nu a fost operată, cu iradiere în piciorul drept sau după efort.",
    "hu": "A beteg három éve panaszolja, hogy fájdalom van a bal lábában, és nem volt műtét, meg láz sem volt.",
    "tl": "Ang pasyente ay may sakit sa likod ng tatlong taon at hindi pa siya naoperahan sa kanan na binti niya.",
    "sw": "Mgonjwa ana maumivu ya mgongo kwa miaka mitatu na hana homa, katika mguu wa kulia baada ya ajali hiyo.",
    "ru": "Пациентка жалуется на боли в пояснице в течение трёх лет.",
    "ja": "患者は三年前から腰痛があり、右下肢にしびれがあります。手術は受けていませんが、リハビリを続けています。",
    "ko": "환자는 삼 년 전부터 허리 통증이 있으며 오른쪽 다리로 방사통이 있습니다.",
    "ar": "تشكو المريضة من ألم في أسفل الظهر منذ ثلاث سنوات مع تنميل في الساق اليمنى",
    "hi": "रोगी को तीन साल से कमर में दर्द है और दाहिने पैर में सुन्नपन है",
    "th": "ผู้ป่วยมีอาการปวดหลังมาสามปีและชาที่ขาขวา",
    "hr": "Bolesnik je primljen zbog bolova u križima koji se šire u lijevu nogu, a nakon pregleda nije bilo ispada.",
    "uk": "Пацієнт скаржиться на біль у попереку, який віддає в ліву ногу протягом трьох тижнів після падіння.",
    "el": "Ο ασθενής παραπονείται για πόνο στη μέση που αντανακλά στο αριστερό πόδι εδώ και τρεις μήνες.",
    "he": "המטופל מתלונן על כאבי גב תחתון המקרינים לרגל שמאל מזה שלושה חודשים ללא ניתוח קודם",
    "fa": "بیمار مرد پنجاه ساله با درد کمر که به پای چپ تیر می‌کشد مراجعه کرده است و گزارش قبلی دارد پس از جراحی",
    "bn": "রোগী তিন মাস ধরে কোমরে ব্যথায় ভুগছেন যা বাম পায়ে ছড়িয়ে পড়ে এবং আগে অপারেশন হয়নি।",
    "ug": "بىمارنىڭ بېلى ئۈچ ئايدىن بۇيان ئاغرىيدۇ، سول پۇتىغا تارقىلىدۇ، ئوپېراتسىيە قىلىنمىغان",
    "bo": "ནད་པའི་སྐེད་པ་ཟླ་བ་གསུམ་ནས་ན་ཟུག་བཏང་བ་དང་གཡོན་པའི་རྐང་པར་ཟུག་བཏང་།",
    "unknown": "Patsiendil on olnud seljavalu kolm kuud, valu kiirgub vasakusse jalga, operatsiooni ei ole tehtud, uuringul "
    "tundlikkuse langus, refleksid sümmeetrilised, kõnnib ise, soovitatud füsioteraapia ning visiit nädala pärast, kodus ravi",
}
SHORT = {
    "es": "PACIENTE REFIERE DOLOR LUMBAR DESDE HACE 2 MESES, SIN DEFICIT.",
    "fr": "Pas de déficit moteur, douleur à la palpation des apophyses épineuses.",
    "de": "Herr Müller wohnt mit seiner Frau in Köln und arbeitet auf dem Bau.",
    "it": "Lombalgia cronica, RM ernia L4-L5 sinistra, in terapia con FANS",
    "vi": "Ong Nguyen Van An song voi vo tai Hue, bi te cau thang hom qua",
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
    "yo doc my back iz killin me n i cant sleep lol pls call asap thx",
    "loc pn bk rad l leg wks thx tx nsaids bid prn fu mri xr neg ctr amb indep dc hm rx gab pt ot eval nv int dtrs",
    "amlodipine gabapentin pregabalin duloxetine meloxicam naproxen celecoxib tizanidine baclofen methocarbamol tramadol",
    "患者于「さくら病院」就诊，腰痛三月，行MRI检查示L4/5突出，予保守治疗后好转出院。",
    "김민수, 이영희, 박철수 555-010-0199",
    "Patient's daughter translated: 'dolor en la espalda'. She has had back pain for 3 years and was seen in the clinic.",
)


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_is_named(language):
    assert find_other_language(OTHERS[language]) == language


@pytest.mark.parametrize("language", SHORT)
def test_a_short_note_in_another_language_is_named(language):
    assert find_other_language(SHORT[language]) == language


@pytest.mark.parametrize("text", OURS)
def test_english_chinese_and_too_little_to_tell_are_not_refused(text):
    assert find_other_language(text) is None


def test_of_a_text_that_cannot_be_read_clinical_values_and_medicine_stay():
    text = "Juan Pérez, de 54 años: hernia L4/5, VAS 7/10; gabapentin 300 mg."
    masked = [text[span.start : span.end] for span in find_all_but_medicine(text)]
    assert masked == ["Juan Pérez, de 54 años"]


def test_time_is_linear():
    text = "la paciente refiere dolor и боль 患者 " * 2_000
    assert seconds(find_other_language, text * 10) < 30 * max(seconds(find_other_language, text), 0.005)
