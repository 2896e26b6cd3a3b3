#include "support/generate/names.h"

#include <stddef.h>

/* clang-format off */
#define NAMES(id, ...) static const struct name id[] = {__VA_ARGS__, {NULL, NULL}}
#define SAME(n) {n, n}

NAMES(de_w, SAME("Anna"), SAME("Marie"), {"Jördis", "Joerdis"}, SAME("Katrin"), {"Käthe", "Kaethe"}, SAME("Lena"), SAME("Ute"), {"Sünje", "Suenje"});
NAMES(de_m, SAME("Hans"), SAME("Jonas"), {"Jürgen", "Juergen"}, SAME("Karl"), SAME("Lukas"), {"Björn", "Bjoern"}, SAME("Uwe"), {"Götz", "Goetz"});
NAMES(de_f, {"Müller", "Mueller"}, SAME("Schmidt"), {"Weiß", "Weiss"}, {"Schäfer", "Schaefer"}, SAME("Becker"), {"Köhler", "Koehler"},
    SAME("Petersen"), {"Groß", "Gross"}, SAME("Hansen"), {"Krüger", "Krueger"}, SAME("Wagner"), {"von der Höhe", "von der Hoehe"});
NAMES(pl_w, {"Małgorzata", "Malgorzata"}, {"Łucja", "Lucja"}, SAME("Zofia"), {"Bożena", "Bozena"}, SAME("Agnieszka"), SAME("Ewa"));
NAMES(pl_m, {"Paweł", "Pawel"}, {"Łukasz", "Lukasz"}, {"Grzegorz", "Grzegorz"}, {"Michał", "Michal"}, SAME("Jan"), {"Bolesław", "Boleslaw"});
NAMES(pl_f, {"Wiśniewska", "Wisniewska"}, {"Wójcik", "Wojcik"}, {"Zając", "Zajac"}, {"Dąbrowski", "Dabrowski"}, {"Król", "Krol"}, SAME("Nowak"),
    {"Jabłoński", "Jablonski"}, {"Piątek", "Piatek"});
NAMES(tr_w, {"Şebnem", "Sebnem"}, SAME("Elif"), {"Gülay", "Gulay"}, {"Çiğdem", "Cigdem"}, {"Özlem", "Ozlem"}, SAME("Zeynep"));
NAMES(tr_m, {"Oğuz", "Oguz"}, {"İbrahim", "Ibrahim"}, SAME("Emre"), {"Çağlar", "Caglar"}, {"Ömer", "Omer"}, SAME("Mehmet"));
NAMES(tr_f, {"Yılmaz", "Yilmaz"}, {"Öztürk", "Ozturk"}, {"Şahin", "Sahin"}, SAME("Demir"), {"Çelik", "Celik"}, {"Yıldırım", "Yildirim"},
    {"Güneş", "Gunes"}, SAME("Kaya"));
NAMES(fr_w, {"Zoë", "Zoe"}, {"Hélène", "Helene"}, {"Françoise", "Francoise"}, {"Anaïs", "Anais"}, SAME("Claire"), {"Maëlle", "Maelle"});
NAMES(fr_m, {"René", "Rene"}, {"François", "Francois"}, {"Benoît", "Benoit"}, {"Noël", "Noel"}, SAME("Luc"), {"Gaël", "Gael"});
NAMES(fr_f, {"Lefèvre", "Lefevre"}, {"Girault", "Girault"}, {"D'Aubigné", "DAubigne"}, {"Bœuf", "Boeuf"}, {"Fournié", "Fournie"}, SAME("Moreau"),
    {"Chêne", "Chene"}, SAME("Saint-Pierre"));
NAMES(es_w, {"Lucía", "Lucia"}, {"Begoña", "Begona"}, SAME("Carmen"), {"Inés", "Ines"}, {"Ángela", "Angela"});
NAMES(es_m, {"José", "Jose"}, {"Iñigo", "Inigo"}, {"Andrés", "Andres"}, SAME("Pablo"), {"Ramón", "Ramon"});
NAMES(es_f, {"Muñoz García", "Munoz Garcia"}, {"Peña", "Pena"}, {"Ibáñez Ruiz", "Ibanez Ruiz"}, {"Núñez", "Nunez"}, SAME("Romero"), {"Sánchez", "Sanchez"});
NAMES(cs_w, {"Zdeňka", "Zdenka"}, {"Božena", "Bozena"}, {"Jiřina", "Jirina"}, {"Věra", "Vera"});
NAMES(cs_m, {"Jiří", "Jiri"}, {"Ondřej", "Ondrej"}, {"Luboš", "Lubos"}, {"Tomáš", "Tomas"});
NAMES(cs_f, {"Dvořák", "Dvorak"}, {"Růžičková", "Ruzickova"}, {"Němec", "Nemec"}, {"Šťastná", "Stastna"}, {"Žižka", "Zizka"}, {"Kučera", "Kucera"});
NAMES(is_w, {"Þóra", "Thora"}, {"Guðrún", "Gudrun"}, {"Ásdís", "Asdis"}, {"Æsa", "Aesa"});
NAMES(is_m, {"Þórður", "Thordur"}, {"Ægir", "Aegir"}, {"Sigurður", "Sigurdur"}, {"Óðinn", "Odinn"});
NAMES(is_f, {"Jónsdóttir", "Jonsdottir"}, {"Þorsteinsson", "Thorsteinsson"}, {"Ørsted", "Orsted"}, {"Åkesson", "Akesson"}, {"Bjørnson", "Bjornson"});
NAMES(vi_w, {"Thị Hồng", "Thi Hong"}, {"Ngọc Ánh", "Ngoc Anh"}, {"Mỹ Duyên", "My Duyen"}, {"Thu Hằng", "Thu Hang"}, {"Bích Phượng", "Bich Phuong"});
NAMES(vi_m, {"Văn Dũng", "Van Dung"}, {"Minh Đức", "Minh Duc"}, {"Quốc Việt", "Quoc Viet"}, {"Hữu Phước", "Huu Phuoc"}, {"Tuấn", "Tuan"});
NAMES(vi_f, {"Nguyễn", "Nguyen"}, {"Trần", "Tran"}, {"Lê", "Le"}, {"Phạm", "Pham"}, {"Đặng", "Dang"}, {"Võ", "Vo"}, {"Bùi", "Bui"}, {"Hồ", "Ho"});
NAMES(en_w, SAME("Ada"), SAME("Grace"), {"Siobhán", "Siobhan"}, SAME("Chloe"), SAME("Ruth"), SAME("Joyce"), {"Niamh", "Niamh"});
NAMES(en_m, SAME("Owen"), SAME("James"), {"Seán", "Sean"}, SAME("Alan"), SAME("Dylan"), SAME("Kofi"), SAME("Winston"));
NAMES(en_f, SAME("O'Neill"), SAME("Smith-Jones"), SAME("Okafor"), SAME("Evans"), {"Ó Súilleabháin", "O Suilleabhain"}, SAME("MacLeod"), SAME("Mensah"),
    SAME("Adeyemi"), SAME("Brown"), SAME("Campbell"));
NAMES(yo_w, {"Adébọ́lá", "Adebola"}, {"Ṣadé", "Sade"}, {"Títílayọ̀", "Titilayo"}, {"Chị̀nèlò", "Chinelo"});
NAMES(yo_m, {"Olúwaṣeun", "Oluwaseun"}, {"Adéwálé", "Adewale"}, {"Ọláwálé", "Olawale"}, {"Bánkọ́lé", "Bankole"});
NAMES(yo_f, {"Adéyẹmí", "Adeyemi"}, {"Ọbasanjọ́", "Obasanjo"}, {"Ògúnbanjọ", "Ogunbanjo"}, {"Ṣóyẹmí", "Soyemi"});
NAMES(ru_w, {"Анна", "Anna"}, {"Ольга", "Olga"}, {"Наталья", "Natalya"}, {"Юлия", "Yuliya"}, {"Светлана", "Svetlana"}, {"Алёна", "Alyona"});
NAMES(ru_m, {"Иван", "Ivan"}, {"Сергей", "Sergey"}, {"Дмитрий", "Dmitriy"}, {"Юрий", "Yuriy"}, {"Пётр", "Pyotr"}, {"Алексей", "Aleksey"});
NAMES(ru_f, {"Кузнецов", "Kuznetsov"}, {"Попова", "Popova"}, {"Щербаков", "Shcherbakov"}, {"Соловьёва", "Solovyova"}, {"Жуков", "Zhukov"},
    {"Чернышёв", "Chernyshyov"}, {"Цветкова", "Tsvetkova"});
NAMES(uk_w, {"Оксана", "Oksana"}, {"Ірина", "Iryna"}, {"Соломія", "Solomiya"}, {"Ганна", "Hanna"});
NAMES(uk_m, {"Андрій", "Andriy"}, {"Тарас", "Taras"}, {"Юрій", "Yuriy"}, {"Богдан", "Bohdan"});
NAMES(uk_f, {"Шевчук", "Shevchuk"}, {"Коваленко", "Kovalenko"}, {"Бондаренко", "Bondarenko"}, {"Гончар", "Honchar"}, {"Ґудзь", "Gudz"}, {"Їжак", "Yizhak"});
NAMES(el_w, {"Ελένη", "Eleni"}, {"Μαρία", "Maria"}, {"Αικατερίνη", "Aikaterini"}, {"Δέσποινα", "Despoina"});
NAMES(el_m, {"Γιώργος", "Giorgos"}, {"Κωνσταντίνος", "Konstantinos"}, {"Νίκος", "Nikos"}, {"Θανάσης", "Thanasis"});
NAMES(el_f, {"Παπαδόπουλος", "Papadopoulos"}, {"Οικονόμου", "Oikonomou"}, {"Γεωργίου", "Georgiou"}, {"Ψαράς", "Psaras"}, {"Χατζής", "Chatzis"});
NAMES(ar_w, {"فاطمة", "Fatima"}, {"ليلى", "Layla"}, {"مريم", "Maryam"}, {"نور", "Nour"}, {"هدى", "Huda"});
NAMES(ar_m, {"محمد", "Mohammed"}, {"أحمد", "Ahmad"}, {"يوسف", "Youssef"}, {"خالد", "Khaled"}, {"عبد الله", "Abdullah"});
NAMES(ar_f, {"الحداد", "Al-Haddad"}, {"خوري", "Khoury"}, {"النجار", "Al-Najjar"}, {"منصور", "Mansour"}, {"العلي", "Al-Ali"}, {"حمدان", "Hamdan"});
NAMES(he_w, {"נועה", "Noa"}, {"תמר", "Tamar"}, {"יעל", "Yael"}, {"רחל", "Rachel"});
NAMES(he_m, {"דוד", "David"}, {"יוסף", "Yosef"}, {"איתן", "Eitan"}, {"משה", "Moshe"});
NAMES(he_f, {"כהן", "Cohen"}, {"לוי", "Levi"}, {"מזרחי", "Mizrahi"}, {"פרץ", "Peretz"});
NAMES(hi_w, {"प्रिया", "Priya"}, {"अनीता", "Anita"}, {"सुनीता", "Sunita"}, {"दीपिका", "Deepika"});
NAMES(hi_m, {"राजेश", "Rajesh"}, {"अमित", "Amit"}, {"विजय", "Vijay"}, {"संजय", "Sanjay"});
NAMES(hi_f, {"शर्मा", "Sharma"}, {"गुप्ता", "Gupta"}, {"सिंह", "Singh"}, {"मिश्रा", "Mishra"}, {"पटेल", "Patel"}, {"त्रिपाठी", "Tripathi"});
NAMES(zh_w, {"秀英", "Xiuying"}, {"丽华", "Lihua"}, {"晓燕", "Xiaoyan"}, {"芳", "Fang"}, {"雨桐", "Yutong"});
NAMES(zh_m, {"伟", "Wei"}, {"建国", "Jianguo"}, {"志强", "Zhiqiang"}, {"浩然", "Haoran"}, {"军", "Jun"});
NAMES(zh_f, {"王", "Wang"}, {"李", "Li"}, {"张", "Zhang"}, {"刘", "Liu"}, {"陈", "Chen"}, {"欧阳", "Ouyang"}, {"赵", "Zhao"}, {"吕", "Lü"});
NAMES(ja_w, {"さくら", "Sakura"}, {"陽子", "Yoko"}, {"美咲", "Misaki"}, {"エミ", "Emi"});
NAMES(ja_m, {"太郎", "Taro"}, {"健一", "Kenichi"}, {"翔太", "Shota"}, {"ケン", "Ken"});
NAMES(ja_f, {"佐藤", "Sato"}, {"鈴木", "Suzuki"}, {"高橋", "Takahashi"}, {"渡辺", "Watanabe"}, {"斎藤", "Saito"});
NAMES(ko_w, {"지은", "Jieun"}, {"수진", "Sujin"}, {"미영", "Miyeong"});
NAMES(ko_m, {"민준", "Minjun"}, {"성호", "Seongho"}, {"영수", "Yeongsu"});
NAMES(ko_f, {"김", "Kim"}, {"이", "Lee"}, {"박", "Park"}, {"최", "Choi"}, {"정", "Jeong"});
NAMES(ka_w, {"ნინო", "Nino"}, {"თამარ", "Tamar"}, {"ქეთევან", "Ketevan"});
NAMES(ka_m, {"გიორგი", "Giorgi"}, {"ლევან", "Levan"}, {"ზურაბ", "Zurab"});
NAMES(ka_f, {"ბერიძე", "Beridze"}, {"კაპანაძე", "Kapanadze"}, {"გელაშვილი", "Gelashvili"});
NAMES(am_w, {"ሰላም", "Selam"}, {"ህይወት", "Hiwot"}, {"ትዕግስት", "Tigist"});
NAMES(am_m, {"አበበ", "Abebe"}, {"ዳዊት", "Dawit"}, {"ሙሉጌታ", "Mulugeta"});
NAMES(am_f, {"ተስፋዬ", "Tesfaye"}, {"ገብረ", "Gebre"}, {"ወልደ", "Wolde"});

const struct culture cultures[] = {
    {"de", 24, de_w, de_m, de_f}, {"en", 14, en_w, en_m, en_f}, {"tr", 10, tr_w, tr_m, tr_f}, {"pl", 8, pl_w, pl_m, pl_f},
    {"ar", 7, ar_w, ar_m, ar_f},  {"ru", 6, ru_w, ru_m, ru_f},  {"vi", 5, vi_w, vi_m, vi_f},  {"uk", 5, uk_w, uk_m, uk_f},
    {"zh", 5, zh_w, zh_m, zh_f},  {"fr", 4, fr_w, fr_m, fr_f},  {"es", 4, es_w, es_m, es_f},  {"el", 4, el_w, el_m, el_f},
    {"hi", 4, hi_w, hi_m, hi_f},  {"cs", 3, cs_w, cs_m, cs_f},  {"yo", 3, yo_w, yo_m, yo_f},  {"is", 2, is_w, is_m, is_f},
    {"he", 2, he_w, he_m, he_f},  {"ja", 2, ja_w, ja_m, ja_f},  {"ko", 2, ko_w, ko_m, ko_f},  {"ka", 2, ka_w, ka_m, ka_f},
    {"am", 2, am_w, am_m, am_f},  {NULL, 0, NULL, NULL, NULL},
};

const char *const streets[] = {"Hafenstraße", "Am Alten Speicher", "Böttchergang", "Brückenweg", "Fischmarkt", "Große Freiheit",
    "Kaufmannshof", "Lindenallee", "Marktplatz", "Mühlenredder", "Salzgasse", "Schmiedetwiete", "Sülzwiesen", "Wallring", NULL};
const char *const places[][2] = {{"Altenhafen", "101"}, {"Brückstedt", "102"}, {"Düsterwalde", "103"}, {"Grünmoor", "104"},
    {"Neuenkoog", "105"}, {"Osterfähr", "106"}, {"Westersiel", "107"}, {NULL, NULL}};
const char *const occupations[] = {"teacher", "nurse", "baker", "electrician", "clerk", "driver", "software developer", "carpenter",
    "student", "pensioner", "cook", "dock worker", "midwife", "accountant", "farmer", "musician", NULL};
/* clang-format on */
