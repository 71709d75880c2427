/// The methods that are known: what is listed here is trained, read, written, merged and inspected.
public enum AdapterMethods {
    /// Every method. Where several rules match a layer, and where a file's tensors could be of several methods, the later one
    /// counts.
    public static let all: [any AdapterMethod.Type] = [
        LoRAMethod.self, DoRAMethod.self, LoKrMethod.self, LoRAMoEMethod.self,
    ]

    /// The method of that ``AdapterMethod/name``.
    public static func named(_ name: String) -> (any AdapterMethod.Type)? { all.first { $0.name == name } }

    /// The method of a layer with these tensors.
    static func claiming(
        _ roles: some Sequence<AdapterRole>, peftFlags: Set<String> = []
    ) -> any AdapterMethod.Type {
        let roles = Set(roles)
        return all.last { $0.claims(roles, peftFlags: peftFlags) } ?? LoRAMethod.self
    }

    /// How early a method is listed.
    static func place(of method: any AdapterMethod.Type) -> Int { all.firstIndex { $0.name == method.name } ?? 0 }

    /// The names of formats that hold `method`: `'icedit' and 'diptych'`.
    static func holders(of method: any AdapterMethod.Type, besides other: AdapterFormat? = nil) -> String {
        let holders = AdapterFormat.allCases.filter { method.formats.contains($0) && $0 != other }
        let names = holders.map { "'\($0.rawValue)'" }
        return names.count < 2
            ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + names[names.count - 1]
    }
}
