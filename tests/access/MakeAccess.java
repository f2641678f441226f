import com.healthmarketscience.jackcess.*;
import java.io.*;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.*;

/** Writes an Access file from lines on standard input: table NAME; column NAME TYPE; row VALUE…, separated by tabs. */
public class MakeAccess {
    public static void main(String[] arguments) throws Exception {
        boolean isNew = arguments[0].endsWith(".accdb");
        Database.FileFormat format = isNew ? Database.FileFormat.V2010 : Database.FileFormat.V2000;
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Database made = DatabaseBuilder.create(format, new File(arguments[0]))) {
            TableBuilder builder = null;
            Table table = null;
            List<DataType> kinds = new ArrayList<>();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] parts = line.split("\t", -1);
                if (parts[0].equals("table")) {
                    builder = new TableBuilder(parts[1]);
                    table = null;
                    kinds.clear();
                } else if (parts[0].equals("column")) {
                    builder.addColumn(column(parts[1], parts[2].split(" "), kinds));
                } else {
                    table = table == null ? builder.toTable(made) : table;
                    table.addRow(values(parts, kinds));
                }
            }
        }
    }

    static ColumnBuilder column(String name, String[] kind, List<DataType> kinds) {
        DataType type = DataType.valueOf(kind[0]);
        kinds.add(type);
        ColumnBuilder column = new ColumnBuilder(name, type);
        if (type == DataType.NUMERIC) {
            return column.setPrecision(Integer.parseInt(kind[1])).setScale(Integer.parseInt(kind[2]));
        }
        return kind.length > 1 ? column.setLengthInUnits(Integer.parseInt(kind[1])) : column;
    }

    static Object[] values(String[] parts, List<DataType> kinds) {
        Object[] values = new Object[kinds.size()];
        for (int at = 0; at < values.length; at++) {
            values[at] = value(parts[at + 1], kinds.get(at));
        }
        return values;
    }

    static Object value(String text, DataType kind) {
        if (text.equals("\\N")) {
            return null;
        }
        switch (kind) {
            case MONEY: case NUMERIC: return new BigDecimal(text);
            case DOUBLE: return Double.valueOf(text);
            case FLOAT: return Float.valueOf(text);
            case LONG: case INT: case BYTE: return Integer.valueOf(text);
            case BOOLEAN: return text.equals("True");
            case SHORT_DATE_TIME: return Date.from(LocalDateTime.parse(text).toInstant(ZoneOffset.UTC));
            default: return text.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\");
        }
    }
}
