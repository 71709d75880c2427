/// The parts of the world that never share a scene.
public enum SceneSplit: String, Sendable, Codable, CaseIterable {
    /// Nine tenths.
    case train
    /// A twentieth.
    case validation
    /// A twentieth.
    case test
}

extension Scene {
    /// What decides to which part a scene belongs: the background and the objects with their colours, sizes and named
    /// places. Weather, style, tone, and where exactly in its place an object stands do not count, so that variants of
    /// one scene stay together.
    public var signature: String {
        let parts = objects.map { object in
            [
                object.kind.rawValue, object.photo ?? "", object.color.rawValue, object.size.rawValue,
                object.place(level: level).name,
            ].joined(separator: ",")
        }
        return ([String(level), background.rawValue, photo ?? ""] + parts.sorted()).joined(separator: ";")
    }

    /// The part that the scene belongs to, by the hash of its ``signature``.
    public var split: SceneSplit {
        // FNV-1a, then a mixing of the upper bits into the lower ones.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in signature.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        let place = (hash ^ hash >> 33) % 100
        return place < 90 ? .train : place < 95 ? .validation : .test
    }
}
