import InContextEdit

/// Which pairs may be mirrored: those that say so (`mirrorable`), and those whose every word is known to be as true in a
/// mirror.
///
/// What a picture holds that must not be mirrored, writing, a flag, a clock, a side that is named, the words tell in more
/// ways and languages than any list of forbidden ones has. So the list is one of allowed words, and a pair with a word
/// that is not on it stays as it is.
enum MirrorRule {
    /// Why a pair may be mirrored, or not.
    enum Verdict: Sendable, CaseIterable {
        /// Its list says so.
        case said
        /// Its words are all known to be safe.
        case safeWords
        /// Its list forbids it.
        case forbidden
        /// A word is not known to be safe.
        case unknownWords

        var allows: Bool { self == .said || self == .safeWords }
    }

    static func verdict(_ record: PairRecord) -> Verdict {
        if let said = record.mirrorable { return said ? .said : .forbidden }
        let fields = record.fields
        let others = [fields.subject, fields.description, fields.inputCaption, fields.outputCaption].compactMap(\.self)
        let texts = [fields.instruction] + record.instructions + others
        return texts.allSatisfy(isSafe) ? .safeWords : .unknownWords
    }

    /// Whether a text has safe words only. Digits and quotation marks stand for writing.
    static func isSafe(_ text: String) -> Bool {
        let marks: Set<Character> = [".", ",", ";", ":", "!", "?", "-", "(", ")"]
        let lowercased = text.lowercased().replacing("’", with: "'").replacing("'s", with: "")
        guard lowercased.allSatisfy({ $0.isLetter || $0.isWhitespace || marks.contains($0) }) else { return false }
        return lowercased.split { !$0.isLetter }.allSatisfy { word in
            words.contains(word) || word.hasSuffix("s") && words.contains(word.dropLast())
        }
    }

    /// Safe words, without the `s` of plurals.
    private static let words: Set<Substring> = Set(
        """
        a all an and another any are as be become been being both but by each every everything few for from had has have he
        her him his i if in into is it its just let like little lot many me more most much my no not now of off on one only
        or other our out please same she should so some something still such than that the their them then there these they
        this those to too two three very was we were what where which while who whole will with without would you your
        about above across after again against along among around at away back before behind below beneath beside between
        beyond bottom center centre close down far foreground front inside instead middle near nearby next onto outside over
        through top toward towards under underneath until up upon within background

        add adjust alter apply blur brighten bring brown build burn carry change clean clear color colour convert cool cover
        create crop darken decorate delete desaturate draw dress dye edit eliminate enhance enlarge erase exchange extend
        fade fill fix freeze get give glow go grow hang have hide hold improve increase insert introduce jump keep lay leave
        lie lighten lower make melt modify move open paint place plant play put raise reduce remove render repaint repair
        replace restore restyle run saturate see set sharpen shine show shrink sit sleep smile smooth soften stand stay
        strengthen substitute swap sweep swim switch take tint touch transform turn use walk warm wash wear adding changed
        changing colored coloured covered covering filled flying hanging holding looking made making painted playing
        removed removing replaced replacing running seated showing shown sitting sleeping smiling standing surrounded taken
        turned walking wearing

        amber beige black blond blonde blue bronze color colorful colour colourful copper cream crimson cyan dark gold
        golden gray green grey indigo ivory lavender light lilac lime magenta maroon monochrome multicolored navy olive orange
        pale pastel pink plum purple rainbow red rose ruby salmon scarlet sepia silver tan teal transparent turquoise violet
        white yellow

        abstract adult ancient animal autumn baby bare beautiful big bigger bold bright brighter broken busy calm cartoon
        clean clear cloudy cold colder comic cozy cubist curly cute dense detailed different dirty dramatic dry elegant
        empty entire fall fluffy foggy fresh full funny futuristic fuzzy gentle giant glossy glowing happy heavy high hot
        huge icy impressionist impressionistic large larger long longer low lush magical matte mature medieval metallic
        misty modern muddy natural new nice noisy old older painterly plain pixel polished pretty rainy realistic retro rich
        romantic rough round rusty sad sandy saturated sharp shiny short shorter simple sleek slim small smaller smooth snowy
        soft spring starry stormy striped strong stylized summer sunny surreal tall taller thick thin tiny traditional
        tropical ugly vibrant vintage vivid warm warmer wet wide wild winter wintery wooden young younger

        acrylic anime art atmosphere blurry brightness brush bw charcoal clay composition contrast crayon design drawing
        effect engraving exposure expressionist filter fog gouache hue illustration image ink impressionism lighting
        look manga mosaic oil painting palette paper pattern pencil photo photograph photography picture pop portrait render
        saturation scene sculpture shade shadow shape silhouette sketch stone style texture theme tone version view
        watercolor watercolour woodcut

        airplane apple armchair avocado bag baker ball balloon banana bandana bank barn basket bath bathroom beach bean bear
        beard bed bedroom bee bench berry bicycle bike bird blanket blossom boat body bone bonnet boot bottle boulder bowl
        box boy branch bread breakfast brick bridge broccoli broom bubble bucket building bull bunny bush butterfly cactus
        cake camel camera candle canyon cap cape car carpet carrot castle cat cattle cave ceiling chair cherry chest chicken
        child children chimney church city cliff cloth clothes cloud coat coconut coffee cookie corn costume cottage couch
        countryside cow crab creek crow crowd crown cub cup curtain cushion dawn day daylight daytime deer desert desk dessert
        dinner dish dog dolphin donkey donut door doughnut dragon drawer dress drink duck dusk dust eagle ear earring
        eggplant elephant evening eye eyebrow face family farm feather fence field fire fireplace firework fish flame flamingo
        floor flower flowerpot fog food forest fork fountain fox frog fruit fur furniture garden giraffe girl glass glasses
        glove goat goose grape grass grassland ground guitar hair hairstyle hat hawk hedge helmet hen hill home hood horse
        house human hut ice iceberg island jacket jar jeans jungle kangaroo kayak kettle kitchen kite kitten knife ladder lady
        lake lamb lamp landscape lantern lawn leaf leather leaves lemon leopard light lightning lion lizard llama lobster man
        marble mask meadow meat men metal midnight milk mist monkey moon moonlight moose morning moss motorcycle mountain
        mouse moustache mouth mug mushroom mustache neck necklace night nose ocean orchard orchid ostrich owl palm pan panda
        pant parrot pasture path peach peacock pear pebble penguin people pepper person petal pig pigeon pillow pine pineapple
        pizza plant plate plaza pond pony pool poppy porch pot potato pumpkin puppy quilt rabbit rain rainbow raincoat
        restaurant rhino river road robe robot rock roof room rooster rug sail sailboat sailing salad sand sandwich scarf sea
        seagull seal seashore seat shark sheep shell shelf shelves ship shirt shoe shore shrub sidewalk sink skateboard skin
        skirt sky skyline smoke snail snake snow snowball snowfall snowflake snowman soccer sock sofa soil soup spaceship
        sparrow spider spoon squirrel stable stair star starfish statue steak steam steel stick straw strawberry stream street
        suit sun sunflower sunglasses sunlight sunrise sunset surfboard surroundings swan sweater table tail teapot teddy tent
        tie tiger tile toast tomato tongue tooth teeth tower toy tractor trail train tray tree trouser truck trunk tulip
        turkey turtle twig umbrella valley van vase vegetable vegetation veil vest village vine volcano wagon wall water
        waterfall wave weather whale wheat wheel wind window wine wing wolf woman women wood woodland wool zebra
        """.split(whereSeparator: \.isWhitespace))
}
