/* feedback: see the header. The words are our own. A row is an area and a level; those of a critical item stand behind
 * the levels. */
#include "feedback.h"
#include "../../shared/base/panic.h"

enum { CRITICAL = LEVELS, TONES };

#define KO [LANGUAGE_KO]
#define EN [LANGUAGE_EN]

static const feedback_t texts[AREAS][TONES][LANGUAGES] = {
    [AREA_GROSS_MOTOR] = {
        [LEVEL_EXCELLENT] = {
            KO = {"몸을 크게 움직이는 힘과 균형이 또래에 견주어 아주 잘 자라고 있어요. 새로운 움직임도 스스로 시도해 "
                "볼 준비가 되어 있어요.",
                "집 안과 바깥의 안전한 곳에서 뻗고 구르고 오르는 놀이를 마음껏 할 시간을 주세요."},
            EN = {"Strength and balance are growing very well for this age. Your child is ready to try new movements "
                "alone.",
                "Give plenty of time for stretching, rolling and climbing in safe places, indoors and outdoors."}},
        [LEVEL_GOOD] = {
            KO = {"몸을 움직이는 힘이 나이에 맞게 자라고 있어요. 매일 조금씩 움직이는 시간이 그 힘을 더 키워 줘요.",
                "하루에 두세 번, 바닥에서 뒹굴고 손을 뻗고 자리를 옮기는 놀이를 가족과 함께 해 보세요."},
            EN = {"The way your child moves is developing as expected for this age. A little movement every day "
                "makes it stronger.",
                "Two or three times a day, roll, reach and move about on the floor together as a family."}},
        [LEVEL_CAUTION] = {
            KO = {"몸을 크게 움직이는 일 가운데 아직 연습이 더 필요한 것이 보여요. 자주 움직일 기회를 주면 한결 "
                "수월해지는 때예요.",
                "안거나 태우는 시간을 조금 줄이고, 푹신한 바닥에서 스스로 움직여 좋아하는 것에 닿게 도와주세요. 두 "
                "달쯤 뒤에 다시 살펴보세요."},
            EN = {"Some of the larger movements still need practice. This is a time when frequent chances to move "
                "help a great deal.",
                "Carry a little less, and on a soft floor let your child move towards something that is loved. Look "
                "again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"몸을 크게 움직이는 일에서 가까이 살펴볼 점이 여럿 보여요. 한 번의 답으로 아이를 다 알 수는 "
                "없으니, 지금 모습을 차분히 지켜봐 주세요.",
                "앉고 서고 움직이는 모습을 짧은 영상으로 남겨 두었다가, 이 결과와 함께 소아청소년과 의사와 이야기해 "
                "보세요."},
            EN = {"Several things about the larger movements deserve a closer look. One set of answers never tells "
                "all about a child, so watch calmly how it goes now.",
                "Keep short videos of how your child sits, stands and moves, and talk them over with your "
                "paediatrician together with this result."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 몸의 움직임에서 꼭 한번 살펴보아야 할 답이 있어요. 다른 힘이 잘 자라고 있어도 이 "
                "점은 미루지 않는 것이 좋아요.",
                "그 모습이 보이는 때를 적거나 영상으로 남겨, 가까운 날에 소아청소년과에서 보여 주세요."},
            EN = {"Apart from the score, an answer about movement should be looked at by somebody. Even when all "
                "else goes well, it is better not to put this off.",
                "Write down or film when you see it, and show it to your paediatrician within the next days."}},
    },
    [AREA_FINE_MOTOR] = {
        [LEVEL_EXCELLENT] = {
            KO = {"손과 눈을 함께 쓰는 힘이 아주 잘 자라고 있어요. 작은 것을 다루는 손끝이 또래에 견주어 야무져요.",
                "집에 있는 여러 물건을 손으로 다루어 볼 기회를 늘려 주세요. 천, 나무 숟가락, 뚜껑 있는 통처럼 쓰임이 "
                "다른 것이 좋아요."},
            EN = {"Hand and eye work together very well. For this age the fingertips are deft with small things.",
                "Offer more things from around the house to handle. Cloth, a wooden spoon, a box with a lid: each is "
                "used in another way."}},
        [LEVEL_GOOD] = {
            KO = {"손을 쓰는 힘이 나이에 맞게 자라고 있어요. 만지고 옮기고 끼우는 놀이가 손끝을 더 섬세하게 해 줘요.",
                "크기와 촉감이 다른 물건을 담은 바구니를 두고, 꺼내고 담고 맞추는 놀이를 함께 해 보세요."},
            EN = {"The use of the hands is developing as expected for this age. Touching, moving and fitting things "
                "makes the fingers finer.",
                "Keep a basket of things of different size and feel, and take out, put in and match them together."}},
        [LEVEL_CAUTION] = {
            KO = {"손끝으로 하는 일 가운데 아직 어려워하는 것이 보여요. 서두르지 않고 손을 쓸 기회를 늘리면 도움이 "
                "되는 때예요.",
                "먹고 씻고 입는 동안 아이가 손으로 해 볼 틈을 매번 1분씩 남겨 주세요. 두 달쯤 뒤에 다시 살펴보세요."},
            EN = {"Some of what the fingertips do is still difficult. Without hurry, more chances to use the hands "
                "will help now.",
                "While eating, washing and dressing leave one minute each time for your child's own hands. Look "
                "again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"손을 쓰는 일에서 가까이 살펴볼 점이 여럿 보여요. 낯선 물건이나 피곤한 날의 모습일 수도 있으니 "
                "며칠에 걸쳐 지켜봐 주세요.",
                "두 손을 쓰는 모습과 물건을 잡는 모습을 짧은 영상으로 남겨, 이 결과와 함께 소아청소년과 의사와 "
                "이야기해 보세요."},
            EN = {"Several things about the use of the hands deserve a closer look. It may be strange objects or a "
                "tired day, so watch for some days.",
                "Keep short videos of how both hands are used and things are grasped, and talk them over with your "
                "paediatrician together with this result."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 손을 쓰는 모습에서 꼭 한번 살펴보아야 할 답이 있어요. 다른 손놀림이 좋아도 이 점은 "
                "확인해 두는 것이 좋아요.",
                "어느 손으로 언제 그런지 며칠 적어 두고, 가까운 날에 소아청소년과에서 물어봐 주세요."},
            EN = {"Apart from the score, an answer about the hands should be looked at by somebody. Even when the "
                "rest is skilful, this is worth making sure of.",
                "For some days write down which hand it is and when, and ask your paediatrician within the next "
                "days."}},
    },
    [AREA_COGNITIVE] = {
        [LEVEL_EXCELLENT] = {
            KO = {"살펴보고 기억하고 방법을 찾는 힘이 아주 잘 자라고 있어요. 궁금한 것을 끝까지 알아보려는 마음이 "
                "돋보여요.",
                "답을 먼저 알려 주기보다 \"어떻게 될까?\" 하고 함께 기다려 주세요. 물, 그림자, 상자 같은 흔한 것이 "
                "좋은 놀잇감이에요."},
            EN = {"Looking closely, remembering and finding a way are growing very well. The wish to find things out "
                "stands out.",
                "Rather than giving the answer, wait together and wonder what will happen. Water, shadows and boxes "
                "are the best toys."}},
        [LEVEL_GOOD] = {
            KO = {"생각하고 알아 가는 힘이 나이에 맞게 자라고 있어요. 되풀이하며 스스로 알아내는 경험이 쌓이고 "
                "있어요.",
                "숨기고 찾기, 짝 맞추기처럼 아이가 좋아하는 놀이를 하루 한 번, 조금씩 바꾸어 가며 해 보세요."},
            EN = {"Thinking and finding out are developing as expected for this age. Your child is learning by doing "
                "things again and again.",
                "Once a day play something that is loved, such as hiding and finding or matching pairs, and change "
                "it a little each time."}},
        [LEVEL_CAUTION] = {
            KO = {"살펴보고 기억하는 일 가운데 아직 도움이 필요한 것이 보여요. 짧고 즐거운 놀이를 자주 하면 힘이 "
                "붙는 때예요.",
                "화면을 끄고 한 가지 놀잇감으로 5분씩 함께 놀아 주세요. 같은 놀이를 며칠 이어 가고, 두 달쯤 뒤에 "
                "다시 살펴보세요."},
            EN = {"Some of the looking and remembering still needs help. Short and happy play, often, gives strength "
                "now.",
                "Switch the screens off and play with one single toy for five minutes at a time. Keep to the same "
                "game for some days, and look again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"주변을 알아보고 방법을 찾는 일에서 가까이 살펴볼 점이 여럿 보여요. 아이마다 속도가 다르니, 먼저 "
                "어떤 놀이에 마음을 여는지 지켜봐 주세요.",
                "잘하는 일과 어려워하는 일을 한 주 동안 적어, 이 결과와 함께 소아청소년과 의사와 이야기해 보세요."},
            EN = {"Several things about noticing and finding a way deserve a closer look. Every child has a pace of "
                "its own; see first which play is enjoyed.",
                "For a week write down what goes well and what is hard, and talk it over with your paediatrician "
                "together with this result."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 주변을 알아보는 모습에서 꼭 한번 살펴보아야 할 답이 있어요. 다른 힘이 잘 자라고 "
                "있어도 이 점은 미루지 않는 것이 좋아요.",
                "보고 듣는 데 불편함이 없는지도 함께, 가까운 날에 소아청소년과에서 물어봐 주세요."},
            EN = {"Apart from the score, an answer about noticing the world should be looked at by somebody. Even "
                "when all else goes well, it is better not to put this off.",
                "Ask your paediatrician within the next days, also whether seeing and hearing are well."}},
    },
    [AREA_LANGUAGE] = {
        [LEVEL_EXCELLENT] = {
            KO = {"듣고 알아차리고 나타내는 힘이 아주 잘 자라고 있어요. 아이가 마음을 전하려는 모습이 풍부해요.",
                "아이가 꺼낸 소리나 이야기에 한마디씩 보태어 길게 주고받아 보세요. 그림책은 아이가 넘기는 대로 "
                "따라가 주세요."},
            EN = {"Listening, understanding and expressing are growing very well. Your child has rich ways of "
                "telling what is on the mind.",
                "Add a word to whatever your child begins, and keep it going back and forth. With picture books, "
                "follow the pages your child turns to."}},
        [LEVEL_GOOD] = {
            KO = {"소리와 말을 알아듣고 나타내는 힘이 나이에 맞게 자라고 있어요. 매일 나누는 짧은 이야기가 그 "
                "바탕이에요.",
                "산책길에 보이는 것을 짧은 말로 들려주고, 아이가 소리나 몸짓이나 말로 대답할 때까지 다섯을 세며 "
                "기다려 주세요."},
            EN = {"Understanding and using sounds and words is developing as expected for this age. Short daily "
                "talks are its ground.",
                "On a walk say in few words what you see, and count to five while you wait for a sound, a gesture or "
                "a word in return."}},
        [LEVEL_CAUTION] = {
            KO = {"듣고 나타내는 일 가운데 아직 도움이 필요한 것이 보여요. 아이의 눈짓과 소리에 바로 답해 주면 힘이 "
                "붙는 때예요.",
                "밥 먹기와 옷 입기처럼 매일 되풀이되는 때에 같은 짧은 말을 들려주고, 아이의 반응에 곧바로 대답해 "
                "주세요. 두 달쯤 뒤에 다시 살펴보세요."},
            EN = {"Some of the listening and expressing still needs help. Answering a glance or a sound at once "
                "gives strength now.",
                "At meals, while dressing, whenever things repeat every day, say the same few words and answer your "
                "child at once. Look again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"듣고 나타내는 일에서 가까이 살펴볼 점이 여럿 보여요. 말이 트이는 때는 아이마다 다르지만, 일찍 "
                "살필수록 도울 길이 많아요.",
                "작은 소리에도 돌아보는지, 눈을 맞추고 마음을 전하는지 한 주 동안 적어, 이 결과와 함께 소아청소년과 "
                "의사와 이야기해 보세요."},
            EN = {"Several things about listening and expressing deserve a closer look. Words come at different "
                "times, and the earlier one looks, the more ways there are to help.",
                "For a week write down whether soft sounds are noticed and how your child tells you things, and talk "
                "it over with your paediatrician together with this result."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 듣고 나타내는 모습에서 꼭 한번 살펴보아야 할 답이 있어요. 말이 잘 느는 아이라도 이 "
                "점은 확인해 두는 것이 좋아요.",
                "잘 듣고 있는지를 먼저 알아보는 것이 좋으니, 가까운 날에 소아청소년과에서 물어봐 주세요."},
            EN = {"Apart from the score, an answer about listening and expressing should be looked at by somebody. "
                "Even when words come well, this is worth making sure of.",
                "It is good to know first how well your child hears, so ask your paediatrician within the next "
                "days."}},
    },
    [AREA_SOCIAL] = {
        [LEVEL_EXCELLENT] = {
            KO = {"사람에게 다가가고 함께하는 힘이 아주 잘 자라고 있어요. 눈을 맞추고 주고받는 기쁨을 잘 알고 "
                "있어요.",
                "여러 나이의 사람을 만날 기회를 주고, 차례를 주고받는 놀이에서 아이가 먼저 이끌게 해 주세요."},
            EN = {"Reaching out to people and being with them are growing very well. Your child knows the joy of "
                "give and take.",
                "Let your child meet people of different ages, and lead the way in games of taking turns."}},
        [LEVEL_GOOD] = {
            KO = {"사람과 어울리는 힘이 나이에 맞게 자라고 있어요. 익숙한 사람과 보내는 편안한 시간이 그 바탕이 되고 "
                "있어요.",
                "주고받기, 까꿍, 소꿉처럼 서로 한 번씩 하는 놀이를 하루 10분 함께 해 보세요."},
            EN = {"Being with others is developing as expected for this age. Quiet time with familiar people is its "
                "ground.",
                "For ten minutes a day play something in which each has a turn: rolling a ball, peekaboo, or playing "
                "house."}},
        [LEVEL_CAUTION] = {
            KO = {"사람과 주고받는 일 가운데 아직 도움이 필요한 것이 보여요. 낯가림이나 타고난 기질일 수도 있으니 "
                "천천히 넓혀 가면 돼요.",
                "아이 눈높이에 앉아 아이가 하는 놀이를 그대로 따라 해 보세요. 한 사람과 짧게 노는 시간부터 늘리고, "
                "두 달쯤 뒤에 다시 살펴보세요."},
            EN = {"Some of the give and take with people still needs help. It may be shyness or temperament, so "
                "widen it slowly.",
                "Sit at eye level and do just what your child is doing. Begin with short play with one person, and "
                "look again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"사람과 주고받는 일에서 가까이 살펴볼 점이 여럿 보여요. 편안한 집에서의 모습을 먼저 차분히 지켜봐 "
                "주세요.",
                "눈을 맞추는 때, 이름에 돌아보는 때, 함께 웃는 때를 한 주 동안 적어, 이 결과와 함께 소아청소년과 "
                "의사와 이야기해 보세요."},
            EN = {"Several things about the give and take with people deserve a closer look. Watch first, calmly, "
                "how it is in the comfort of home.",
                "For a week write down when your child meets your eyes, turns to the name, laughs with you, and talk "
                "it over with your paediatrician together with this result."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 사람과 주고받는 모습에서 꼭 한번 살펴보아야 할 답이 있어요. 다른 때에 잘 어울려도 이 "
                "점은 미루지 않는 것이 좋아요.",
                "언제 그런지 짧게 적거나 영상으로 남겨, 가까운 날에 소아청소년과에서 보여 주세요."},
            EN = {"Apart from the score, an answer about being with people should be looked at by somebody. Even "
                "when things go well at other times, it is better not to put this off.",
                "Note or film shortly when it is so, and show it to your paediatrician within the next days."}},
    },
    [AREA_EMOTIONAL] = {
        [LEVEL_EXCELLENT] = {
            KO = {"마음을 느끼고 나타내고 가라앉히는 힘이 아주 잘 자라고 있어요. 믿는 사람 곁에서 편안함을 잘 "
                "찾아요.",
                "잠들기 전에 오늘 기뻤던 일과 속상했던 일을 나직이 들려주고, 그 마음에 이름을 붙여 주세요."},
            EN = {"Feeling, showing and calming emotions are growing very well. Beside somebody trusted, your child "
                "finds comfort easily.",
                "Before sleep tell softly what was happy and what was sad today, and give those feelings a name."}},
        [LEVEL_GOOD] = {
            KO = {"마음을 나타내고 달래는 힘이 나이에 맞게 자라고 있어요. 울고 웃는 모든 모습이 마음이 자라는 "
                "과정이에요.",
                "속상해할 때 먼저 안아 주고 \"놀랐구나\", \"아쉽구나\" 하고 마음을 말로 들려주세요."},
            EN = {"Showing and soothing feelings is developing as expected for this age. All the crying and laughing "
                "is part of growing.",
                "When your child is upset, hold first, and then say the feeling in words: that was a surprise, that "
                "is a pity."}},
        [LEVEL_CAUTION] = {
            KO = {"마음을 나타내고 가라앉히는 일 가운데 아직 도움이 필요한 것이 보여요. 하루의 흐름이 일정하면 아이 "
                "마음도 편해지는 때예요.",
                "먹고 놀고 자는 차례를 비슷하게 지키고, 하루 한 번은 아이만 바라보는 10분을 만들어 주세요. 두 달쯤 "
                "뒤에 다시 살펴보세요."},
            EN = {"Some of the showing and calming of feelings still needs help. A steady course of the day makes it "
                "easier now.",
                "Keep eating, playing and sleeping in much the same order, and once a day have ten minutes for your "
                "child alone. Look again in about two months."}},
        [LEVEL_NEEDS_OBSERVATION] = {
            KO = {"마음을 나타내고 가라앉히는 일에서 가까이 살펴볼 점이 여럿 보여요. 큰 변화나 잠이 모자란 때에도 "
                "그럴 수 있으니 며칠에 걸쳐 지켜봐 주세요.",
                "힘들어하는 때와 편안해지는 방법을 한 주 동안 적어, 이 결과와 함께 소아청소년과 의사나 상담 선생님과 "
                "이야기해 보세요. 보호자의 쉬는 시간도 챙겨 주세요."},
            EN = {"Several things about showing and calming feelings deserve a closer look. Big changes or too "
                "little sleep can do that, so watch for some days.",
                "For a week write down what is hard and what comforts, and talk it over with your paediatrician or a "
                "counsellor together with this result. Do take rest yourself as well."}},
        [CRITICAL] = {
            KO = {"점수와 따로, 마음을 나타내는 모습에서 꼭 한번 살펴보아야 할 답이 있어요. 다른 때에 밝게 지내도 이 "
                "점은 확인해 두는 것이 좋아요.",
                "언제 시작되었고 얼마나 자주 그런지 적어, 가까운 날에 소아청소년과나 상담 선생님에게 물어봐 주세요."},
            EN = {"Apart from the score, an answer about feelings should be looked at by somebody. Even when your "
                "child is cheerful at other times, this is worth making sure of.",
                "Write down when it began and how often it is so, and ask your paediatrician or a counsellor within "
                "the next days."}},
    },
};

feedback_t feedback_of(enum development_area area, enum development_level level, bool critical, enum language language)
{
    insist((unsigned)area < AREAS && (unsigned)level < LEVELS && (unsigned)language < LANGUAGES);
    return texts[area][critical ? CRITICAL : (int)level][language];
}
